// Package rawjson takes JSON apart without decoding it: an object into its
// members, an array into its elements, each as it stands in the input, which is
// neither copied nor read twice.
//
// The input must be valid JSON, as it is wherever encoding/json has looked at
// it before (json.Valid, or a type's UnmarshalJSON). Of anything else the parts
// make no sense, but nothing panics and every loop ends.
package rawjson

import (
	"bytes"
	"encoding/json"
	"iter"
	"unicode/utf8"
)

// Members ranges over an object's members: their names, without quotes, and
// their values. What is no object has none.
func Members(object []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		for i := inside(object, '{'); i < len(object) && object[i] == '"'; {
			after := endOfString(object, i)
			name := object[i:after]
			from := space(object, after)
			if from >= len(object) || object[from] != ':' {
				return
			}
			from = space(object, from+1)
			to := end(object, from)
			if !yield(unquote(name), object[from:to]) {
				return
			}
			i = next(object, to)
		}
	}
}

// Elements ranges over an array's elements. What is no array has none.
func Elements(array []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for i := inside(array, '['); i < len(array) && array[i] != ']'; {
			to := end(array, i)
			if to == i || !yield(array[i:to]) {
				return
			}
			i = next(array, to)
		}
	}
}

// String is the text of a JSON string; ok is false for any other value.
func String(raw []byte) (text string, ok bool) {
	if inner, ok := Plain(raw); ok {
		return string(inner), true
	}
	if len(raw) < 2 || raw[0] != '"' {
		return "", false
	}
	err := json.Unmarshal(raw, &text)
	return text, err == nil
}

// Plain is the text of a JSON string that stands in raw as it is, without
// escapes, and not copied; ok is false for any other value.
func Plain(raw []byte) (text []byte, ok bool) {
	if len(raw) < 2 || raw[0] != '"' || raw[len(raw)-1] != '"' || !plain(raw[1:len(raw)-1]) {
		return nil, false
	}
	return raw[1 : len(raw)-1], true
}

// unquote is a member's name; one that has escapes is copied.
func unquote(name []byte) []byte {
	if len(name) >= 2 && plain(name[1:len(name)-1]) {
		return name[1 : len(name)-1]
	}
	text, _ := String(name)
	return []byte(text)
}

// plain reports text that stands between its quotes as it is.
func plain(inner []byte) bool { return bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) }

// inside is where the first part begins, behind the opening bracket.
func inside(data []byte, bracket byte) int {
	i := space(data, 0)
	if i >= len(data) || data[i] != bracket {
		return len(data)
	}
	return space(data, i+1)
}

// next is where the part after a comma begins.
func next(data []byte, i int) int {
	if i = space(data, i); i >= len(data) || data[i] != ',' {
		return len(data)
	}
	return space(data, i+1)
}

func space(data []byte, i int) int {
	for i < len(data) && (data[i] == ' ' || data[i] == '\n' || data[i] == '\t' || data[i] == '\r') {
		i++
	}
	return i
}

// end is where the value that begins at i ends.
func end(data []byte, i int) int {
	if i >= len(data) {
		return len(data)
	}
	switch data[i] {
	case '"':
		return endOfString(data, i)
	case '{', '[':
		return endOfBrackets(data, i)
	}
	for i < len(data) {
		switch data[i] {
		case ',', ']', '}', ' ', '\n', '\t', '\r':
			return i
		}
		i++
	}
	return i
}

// structural are the bytes outside of strings that an end can depend on. Looking a
// byte up takes two thirds of the time of comparing it with each.
var structural = [256]bool{'"': true, '{': true, '}': true, '[': true, ']': true}

func endOfBrackets(data []byte, i int) int {
	for depth := 0; i < len(data); i++ {
		if !structural[data[i]] {
			continue
		}
		switch data[i] {
		case '"':
			i = endOfString(data, i) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(data)
}

// endOfString is behind the closing quote of the string that opens at i.
func endOfString(data []byte, i int) int {
	for i++; i < len(data); i++ {
		next := bytes.IndexByte(data[i:], '"')
		if next < 0 {
			return len(data)
		}
		i += next
		escapes := 0
		for data[i-1-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return i + 1
		}
	}
	return len(data)
}
