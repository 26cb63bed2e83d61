package redis

import (
	_ "embed" // the scripts

	"github.com/redis/go-redis/v9"
)

// An inbox's scripts each begin with common.lua, which says what is kept.
var (
	//go:embed inbox/common.lua
	commonSource string
	//go:embed inbox/insert.lua
	insertSource string
	//go:embed inbox/claim.lua
	claimSource string
	//go:embed inbox/extend.lua
	extendSource string
	//go:embed inbox/settle.lua
	settleSource string
	//go:embed inbox/last.lua
	lastSource string
	//go:embed inbox/hold.lua
	holdSource string
	//go:embed inbox/release.lua
	releaseSource string
	//go:embed inbox/find.lua
	findSource string
	//go:embed inbox/purge.lua
	purgeSource string
	//go:embed inbox/stats.lua
	statsSource string
)

// A server without memory takes no more in, and lets what it has be handled.
const (
	takesIn = "#!lua\n"
	goesOn  = "#!lua flags=allow-oom\n"
	looks   = "#!lua flags=no-writes\n"
)

var scripts = struct{ insert, claim, extend, settle, last, hold, release, find, purge, stats *redis.Script }{
	insert:  redis.NewScript(takesIn + commonSource + insertSource),
	claim:   redis.NewScript(goesOn + commonSource + claimSource),
	extend:  redis.NewScript(goesOn + commonSource + extendSource),
	settle:  redis.NewScript(goesOn + commonSource + settleSource),
	last:    redis.NewScript(looks + commonSource + lastSource),
	hold:    redis.NewScript(goesOn + commonSource + holdSource),
	release: redis.NewScript(goesOn + commonSource + releaseSource),
	find:    redis.NewScript(goesOn + commonSource + findSource),
	purge:   redis.NewScript(goesOn + commonSource + purgeSource),
	stats:   redis.NewScript(looks + commonSource + statsSource),
}
