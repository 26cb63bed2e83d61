package memnet

import (
	"net"
	"os"
	"strconv"
	"syscall"
)

// Refused returns the error of a dial to addr where nobody listens, in the
// words a Linux kernel makes net use:
//
//	dial tcp b.test:80: connect: connection refused
func Refused(addr string) error {
	return dialError(Addr(addr), os.NewSyscallError("connect", syscall.ECONNREFUSED))
}

func dialError(addr Addr, err error) error {
	return &net.OpError{Op: "dial", Net: "tcp", Addr: addr, Err: err}
}

// clientAddr is the address of the n-th client: from the block that RFC 5737
// keeps for documentation, so that it can be parsed but never be somebody's.
func clientAddr(n int64) Addr {
	port := firstPort + (n-1)%(1<<16-firstPort)
	return Addr("192.0.2.1:" + strconv.FormatInt(port, 10))
}
