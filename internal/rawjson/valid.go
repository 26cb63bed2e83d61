package rawjson

// maxNesting is how deep encoding/json lets a document be.
const maxNesting = 10_000

// Valid reports whether data is JSON, as json.Valid does, in a fraction of its time: that
// was half of what a list of Stripe's took.
func Valid(data []byte) bool {
	i, ok := validValue(data, space(data, 0), 0)
	return ok && space(data, i) == len(data)
}

// validValue is behind the value at i.
func validValue(data []byte, i, depth int) (int, bool) {
	if i >= len(data) {
		return i, false
	}
	switch data[i] {
	case '"':
		return validString(data, i)
	case '{':
		return validObject(data, i+1, depth+1)
	case '[':
		return validArray(data, i+1, depth+1)
	case 't':
		return validWord(data, i, "true")
	case 'f':
		return validWord(data, i, "false")
	case 'n':
		return validWord(data, i, "null")
	}
	return validNumber(data, i)
}

func validObject(data []byte, i, depth int) (int, bool) {
	if depth > maxNesting {
		return i, false
	}
	if i = space(data, i); i < len(data) && data[i] == '}' {
		return i + 1, true
	}
	for {
		if i >= len(data) || data[i] != '"' {
			return i, false
		}
		var ok bool
		if i, ok = validString(data, i); !ok {
			return i, false
		}
		if i = space(data, i); i >= len(data) || data[i] != ':' {
			return i, false
		}
		if i, ok = validValue(data, space(data, i+1), depth); !ok {
			return i, false
		}
		if i = space(data, i); i >= len(data) {
			return i, false
		}
		switch data[i] {
		case '}':
			return i + 1, true
		case ',':
			i = space(data, i+1)
		default:
			return i, false
		}
	}
}

func validArray(data []byte, i, depth int) (int, bool) {
	if depth > maxNesting {
		return i, false
	}
	if i = space(data, i); i < len(data) && data[i] == ']' {
		return i + 1, true
	}
	for {
		var ok bool
		if i, ok = validValue(data, i, depth); !ok {
			return i, false
		}
		if i = space(data, i); i >= len(data) {
			return i, false
		}
		switch data[i] {
		case ']':
			return i + 1, true
		case ',':
			i = space(data, i+1)
		default:
			return i, false
		}
	}
}

// special are the bytes of a string that mean something, or may not be there.
var special = func() (t [256]bool) {
	for c := range 0x20 {
		t[c] = true
	}
	t['"'], t['\\'] = true, true
	return t
}()

func validString(data []byte, i int) (int, bool) {
	for i++; i < len(data); i++ {
		if !special[data[i]] {
			continue
		}
		switch data[i] {
		case '"':
			return i + 1, true
		case '\\':
			if i++; i >= len(data) {
				return i, false
			}
			switch data[i] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			case 'u':
				for range 4 {
					if i++; i >= len(data) || !hexadecimal(data[i]) {
						return i, false
					}
				}
			default:
				return i, false
			}
		default:
			return i, false
		}
	}
	return i, false
}

func hexadecimal(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func validWord(data []byte, i int, word string) (int, bool) {
	end := i + len(word)
	return end, end <= len(data) && string(data[i:end]) == word
}

func validNumber(data []byte, i int) (int, bool) {
	if i < len(data) && data[i] == '-' {
		i++
	}
	switch from := i; {
	case i < len(data) && data[i] == '0':
		i++
	default:
		if i = digits(data, i); i == from {
			return i, false
		}
	}
	if i < len(data) && data[i] == '.' {
		from := i + 1
		if i = digits(data, from); i == from {
			return i, false
		}
	}
	if i < len(data) && (data[i] == 'e' || data[i] == 'E') {
		if i++; i < len(data) && (data[i] == '+' || data[i] == '-') {
			i++
		}
		from := i
		if i = digits(data, i); i == from {
			return i, false
		}
	}
	return i, true
}

func digits(data []byte, i int) int {
	for i < len(data) && data[i] >= '0' && data[i] <= '9' {
		i++
	}
	return i
}
