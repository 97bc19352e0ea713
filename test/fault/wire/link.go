package wire

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"sync/atomic"
)

// flushMark is in the startup message of the connections on which a replica flushes.
var flushMark = []byte("application_name\x00tusq flush ")

// link is one connection through the proxy.
type link struct {
	proxy          *Proxy
	client, server net.Conn
	flushes        atomic.Bool // it is one of those on which flushes run
	busy           atomic.Bool // an exchange is under way
	cut            atomic.Bool // the client is gone; the server reads and writes on
}

func (l *link) close() {
	_ = l.client.Close()
	_ = l.server.Close()
}

// ask carries what the client asks for.
func (l *link) ask() {
	defer l.endServer()
	if !l.greet() {
		return
	}
	buffer := make([]byte, 64<<10)
	for {
		n, err := l.client.Read(buffer)
		if n > 0 {
			// A flush begins with Bind: its statements were prepared in exchanges of their own.
			if l.flushes.Load() && !l.busy.Swap(true) && buffer[0] == 'B' {
				l.proxy.begin(l)
			}
			pass, cut := l.proxy.admit(l, ToServer, n)
			if !l.write(l.server, buffer[:pass], cut) {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// endServer lets the server read what it got, and then see the end.
func (l *link) endServer() {
	if half, ok := l.server.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		return
	}
	_ = l.server.Close()
}

// greet carries the startup message, which names the connection's purpose.
func (l *link) greet() bool {
	var length [4]byte
	if _, err := io.ReadFull(l.client, length[:]); err != nil {
		return false
	}
	size := binary.BigEndian.Uint32(length[:])
	if size < 8 || size > 10_000 {
		return false
	}
	message := make([]byte, size)
	copy(message, length[:])
	if _, err := io.ReadFull(l.client, message[4:]); err != nil {
		return false
	}
	l.busy.Store(true) // until the server is ready
	l.flushes.Store(bytes.Contains(message, flushMark))
	_, err := l.server.Write(message)
	return err == nil
}

// answer carries what the server answers, and sees where exchanges end. After a cut it reads on, so
// that the server can end its work.
func (l *link) answer() {
	defer l.close()
	buffer := make([]byte, 64<<10)
	var frames frames
	for {
		n, err := l.server.Read(buffer)
		if n > 0 && !l.cut.Load() {
			pass, cut := l.proxy.admit(l, ToClient, n)
			if l.flushes.Load() && frames.read(buffer[:n]) { // before the client knows, and asks for more
				l.proxy.end(l)
				l.busy.Store(false)
			}
			l.write(l.client, buffer[:pass], cut)
		}
		if err != nil {
			return
		}
	}
}

// write writes what may pass, and cuts where that is due. It tells whether the connection lives on.
func (l *link) write(to net.Conn, data []byte, cut *Cut) bool {
	_, err := to.Write(data)
	if cut == nil {
		return err == nil
	}
	l.cut.Store(true)
	if cut.Abrupt {
		if tcp, ok := l.server.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = l.server.Close()
	}
	_ = l.client.Close() // which ends ask, which ends the server's side
	return false
}

// frames reads a stream of messages of PostgreSQL's protocol, in pieces of any length.
type frames struct {
	header [5]byte // type and length
	have   int     // bytes of it
	skip   int     // bytes of the message's rest
}

// read tells whether a ReadyForQuery ends in the data.
func (f *frames) read(data []byte) (ready bool) {
	for len(data) > 0 {
		if f.have < len(f.header) {
			n := copy(f.header[f.have:], data)
			f.have += n
			data = data[n:]
			if f.have < len(f.header) {
				break
			}
			f.skip = int(binary.BigEndian.Uint32(f.header[1:])) - 4
		}
		n := min(f.skip, len(data))
		f.skip -= n
		data = data[n:]
		if f.skip == 0 {
			f.have = 0
			ready = ready || f.header[0] == 'Z'
		}
	}
	return ready
}
