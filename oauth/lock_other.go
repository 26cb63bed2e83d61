//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd || windows)

package oauth

import (
	"errors"
	"runtime"
)

// tryLock refuses: without a lock two processes would end each other's login.
func tryLock(string) (unlock func(), err error) {
	return nil, errors.New("no file locks on " + runtime.GOOS + ": write a TokenStore over what locks there")
}
