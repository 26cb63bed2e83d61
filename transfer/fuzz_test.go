package transfer_test

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/transfer"
)

// FuzzContentRange: what is read is a range that lies within its file, and is
// read again from how it would be written.
func FuzzContentRange(f *testing.F) {
	for _, s := range []string{
		"bytes 0-99/1000", "bytes 0-99/*", "bytes */1000", "bytes */*", "BYTES 1-1/2", "bytes 5-4/10", "bytes 5-10/10", "bytes=0-1/2", "items 0-1/2",
		"bytes 0-9223372036854775807/*", "bytes 0-9223372036854775806/*", "bytes 0-18446744073709551616/*", "bytes +1-2/3", "bytes 1 - 2/3", "bytes 0x1-2/3", "",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		from, to, total, err := transfer.ParseContentRange(s)
		if err != nil {
			return
		}
		if from == 0 && to == 0 {
			assert.True(t, total >= 0, s)
			return
		}
		assert.True(t, from >= 0 && from < to && total >= -1 && (total == -1 || to <= total), from, to, total)
		whole := "*"
		if total >= 0 {
			whole = strconv.FormatInt(total, 10)
		}
		again, to2, total2, err := transfer.ParseContentRange(fmt.Sprintf("bytes %d-%d/%s", from, to-1, whole))
		assert.True(t, err == nil && again == from && to2 == to && total2 == total, s)
	})
}

func TestContentRange(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"bytes 0-99/1000": "0 100 1000", "bytes 0-99/*": "0 100 -1", "bytes */1000": "0 0 1000", " Bytes 7-7/8": "7 8 8",
		"bytes */*": "no", "bytes 5-4/10": "no", "bytes 5-10/10": "no", "bytes=0-1/2": "no", "items 0-1/2": "no", "bytes 0-1": "no",
		"bytes 0-9223372036854775807/*": "no", "bytes +1-2/3": "no", "bytes -2/3": "no", "bytes 1-2/-3": "no", "": "no",
	} {
		from, to, total, err := transfer.ParseContentRange(s)
		got := fmt.Sprint(from, to, total)
		if err != nil {
			got = "no"
		}
		assert.Equal(t, got, want, s)
	}
}

// FuzzState: a state vouches for nothing that the part cannot hold, and what it
// vouches for and what it lacks make the whole.
func FuzzState(f *testing.F) {
	for _, s := range []string{
		`{"version":1,"source":"s","validator":"\"v\"","total":100,"done":[[0,10],[20,30]]}`,
		`{"version":1,"source":"s","validator":"\"v\"","total":-1,"done":[[0,10]]}`,
		`{"version":1,"source":"s","validator":"\"v\"","total":-1,"done":[[5,10]]}`,
		`{"version":1,"source":"s","validator":"\"v\"","total":100,"done":[[0,10],[10,30]]}`,
		`{"version":1,"source":"s","validator":"\"v\"","total":100,"done":[[20,30],[0,10]]}`,
		`{"version":1,"source":"s","validator":"\"v\"","total":100,"done":[[-1,10]]}`,
		`{"version":1,"source":"s","validator":"\"v\"","total":100,"digests":[null],"done":[[0,10]]}`,
		`{"version":1,"source":"s","validator":"W/\"v\"","total":100,"done":[[0,10]]}`,
		`{"version":1,"source":"s","validator":"a\nb","total":100,"done":[[0,10]]}`, `{}`, `null`, `[]`, ``,
	} {
		f.Add([]byte(s), int64(50))
	}
	f.Fuzz(func(t *testing.T, raw []byte, size int64) {
		done, total, gaps, err := transfer.ParseState(raw, size)
		if err != nil {
			return
		}
		assert.True(t, done > 0 && done <= size, done, size)
		var missing int64
		for _, g := range gaps {
			if g[1] >= 0 {
				assert.True(t, g[0] < g[1] && g[0] >= 0)
				missing += g[1] - g[0]
			}
		}
		if total >= 0 {
			assert.Equal(t, done+missing, total)
		}
	})
}

func TestState(t *testing.T) {
	t.Parallel()
	state := func(validator, total, done string) string {
		return fmt.Sprintf(`{"version":1,"source":"s","validator":%q,"total":%s,"done":%s}`, validator, total, done)
	}
	for raw, want := range map[string]string{
		state(tag, "100", "[[0,10],[20,30]]"):                                        "20 100 [[10 20] [30 100]]",
		state(tag, "30", "[[0,30]]"):                                                 "30 30 []",
		state(tag, "-1", "[[0,10]]"):                                                 "10 -1 [[10 -1]]",
		state("Wed, 01 Dec 1999 00:00:00 GMT", "9", "[[1,2]]"):                       "1 9 [[0 1] [2 9]]",
		state(tag, "-1", "[[5,10]]"):                                                 "no",
		state(tag, "100", "[[0,10],[10,30]]"):                                        "no", // never written so
		state(tag, "100", "[[0,10],[5,30]]"):                                         "no",
		state(tag, "100", "[[20,30],[0,10]]"):                                        "no",
		state(tag, "100", "[[0,51]]"):                                                "no", // the part has 50
		state(tag, "20", "[[0,21]]"):                                                 "no",
		state(tag, "100", "[[10,10]]"):                                               "no",
		state(tag, "100", "[[-5,10]]"):                                               "no",
		state(tag, "100", "[]"):                                                      "no",
		state(tag, "-2", "[[0,10]]"):                                                 "no",
		state("W/"+tag, "100", "[[0,10]]"):                                           "no",
		state("", "100", "[[0,10]]"):                                                 "no",
		state("\"a\nb\"", "100", "[[0,10]]"):                                         "no", // no header has it
		state("a\nb", "100", "[[0,10]]"):                                             "no",
		state(`"a`, "100", "[[0,10]]"):                                               "no",
		`{"version":2,"source":"s","validator":"\"x\"","total":100,"done":[[0,10]]}`: "no",
		`{"version":1,"source":"","validator":"\"x\"","total":100,"done":[[0,10]]}`:  "no",
		`{"version":1,"source":"s","validator":"\"x\"","total":100,"digests":[null],"done":[[0,10]]}`:                                 "no",
		`{"version":1,"source":"s","validator":"\"x\"","total":100,"digests":[{"algorithm":"sha-256","sum":"AAAA"}],"done":[[0,10]]}`: "no",
		`{"version":1,"source":"s","validator":"\"x\"","total":100,"digests":[{"algorithm":"crc32","sum":"AAAA"}],"done":[[0,10]]}`:   "no",
	} {
		done, total, gaps, err := transfer.ParseState([]byte(raw), 50)
		got := fmt.Sprint(done, total, gaps)
		if err != nil {
			got = "no"
		}
		assert.Equal(t, got, want, raw)
	}
}

// FuzzDigest: whatever the field holds, what is read of it has its length.
func FuzzDigest(f *testing.F) {
	for _, s := range []string{"sha-256=:AAAA:", "sha-512=:" + "A" + ":, x", "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:", "=", ",,", "sha-256"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		algorithm, sum := transfer.Strongest(s)
		assert.Equal(t, len(sum), map[string]int{"": 0, "sha-256": 32, "sha-512": 64}[algorithm])
	})
}
