package redis

import (
	_ "embed" // the scripts

	"github.com/redis/go-redis/v9"
)

// The scripts keep a key's records in one hash, in whole microseconds of the
// server's clock. load.lua, which both begin with, says what they are.
var (
	//go:embed load.lua
	loadSource string
	//go:embed take.lua
	takeSource string
	//go:embed shut.lua
	shutSource string

	take = redis.NewScript(loadSource + takeSource)
	shut = redis.NewScript(loadSource + shutSource)
)
