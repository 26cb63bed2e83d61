package aplomb

import "encoding/json"

// Codec is a [RequestOption]: it writes and reads JSON in the place of encoding/json,
// for a package that is faster or stricter:
//
//	aplomb.Codec{Marshal: sonic.Marshal, Unmarshal: sonic.Unmarshal}
//
// What the library reads for itself, such as an error's message or the cursor of a
// list, it reads by encoding/json, and so do stripe and graphql.
type Codec struct {
	// Marshal encodes what [JSON] is given. Default json.Marshal.
	Marshal func(v any) ([]byte, error)
	// Unmarshal decodes the answer of a typed call, an item of a list or of a
	// stream, into what v points to. It must not retain data. Default json.Unmarshal.
	Unmarshal func(data []byte, v any) error
}

func (k Codec) applyClient(c *config) error { return k.applyCall(&c.settings) }
func (k Codec) applyCall(s *settings) error {
	s.codec = &k
	return nil
}

// marshal encodes v; k may be nil.
func (k *Codec) marshal(v any) ([]byte, error) {
	if k == nil || k.Marshal == nil {
		return json.Marshal(v)
	}
	return k.Marshal(v)
}

// unmarshal decodes data into what v points to; k may be nil.
func (k *Codec) unmarshal(data []byte, v any) error {
	if k == nil || k.Unmarshal == nil {
		return unmarshal(data, v)
	}
	return k.Unmarshal(data, v)
}
