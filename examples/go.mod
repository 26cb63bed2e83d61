module github.com/aplomb-go/aplomb/examples

go 1.26.0

require github.com/aplomb-go/aplomb v0.0.0-00010101000000-000000000000

replace github.com/aplomb-go/aplomb => ../
