package cluster

import (
	"fmt"
	"slices"
	"strings"
)

// ambiguity is a text that two servers may take for different requests.
type ambiguity struct {
	name     string
	text     string
	straight string // the answers of tusq itself
	one      bool   // by every reading, the inner request is a part of the outer one
}

// The requests' names in the texts are replaced by others of the same length.
const (
	outerID = "{the-outer-request}"
	innerID = "{the-inner-request}"
)

// The parts of the texts. The outer request is refused for its body, which is read.
const (
	outer  = "POST /v1/queues HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nX-Request-Id: " + outerID + "\r\n"
	inner  = "GET /v1/queues HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: " + innerID + "\r\n\r\n"
	prefix = "GET /v1/queues HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: " + innerID + "\r\nX-Swallow: " // of what comes next
	chunks = "Transfer-Encoding: chunked\r\n"
	last   = "0\r\n\r\n" // chunk
)

// sized is a Content-Length of n, and the header's end.
func sized(n int) string { return fmt.Sprintf("Content-Length: %d\r\n\r\n", n) }

// lengthAs is the outer request with a length that is written in some way, and the inner one
// as its body.
func lengthAs(format string) string {
	return outer + fmt.Sprintf(format, len(inner)) + "\r\n\r\n" + inner
}

// chunked is the outer request in chunks that are written in some way, and what follows.
func chunked(body string) string { return outer + chunks + "\r\n" + body }

var ambiguous = slices.Concat(bothLengths, lengths, encodings(), chunkForms, lines, targets)

// bothLengths have a Content-Length and chunks.
var bothLengths = []ambiguity{
	{"two requests, well-formed", outer + sized(2) + "{}" + inner, "400 200", false},
	{"a request as a body", outer + sized(len(inner)) + inner, "400", true},
	{"a request as the body of a GET", strings.Replace(outer, "POST", "GET", 1) + sized(len(inner)) + inner, "200", true},
	{"a body that is not read", strings.Replace(outer, "/v1/queues", "/livez", 1) + sized(len(inner)) + inner, "405", true},
	{"a body that is refused", outer + sized(20<<20) + inner, "413", true},
	{"a body that is shorter than said", outer + sized(len(inner)+100) + inner, "", true},
	{"CL.TE", outer + chunks + sized(len(last+inner)) + last + inner, "400", false},
	{"CL.TE, with a prefix", outer + chunks + sized(len(last+prefix)) + last + prefix, "400", false},
	{"CL.TE, the length first", outer + fmt.Sprintf("Content-Length: %d\r\n", len(last+inner)) + chunks + "\r\n" + last + inner, "400", false},
	{"TE.CL", outer + chunks + sized(4) + fmt.Sprintf("%x\r\n%s\r\n", len(inner), inner) + last, "400", true},
	{"TE.CL, of nothing", outer + chunks + sized(0) + fmt.Sprintf("%x\r\n%s\r\n", len(inner), inner) + last, "400", true},
	{"chunks in HTTP/1.0", strings.Replace(outer, "1.1", "1.0", 1) + chunks + sized(len(last+inner)) + last + inner, "400", false},
	{"chunks of a GET", strings.Replace(outer, "POST", "GET", 1) + chunks + sized(len(last+inner)) + last + inner, "200", false},
}

// lengths are doubled or malformed.
var lengths = []ambiguity{
	{"CL twice, 0 first", outer + "Content-Length: 0\r\n" + sized(len(inner)) + inner, "400", false},
	{"CL twice, 0 last", outer + fmt.Sprintf("Content-Length: %d\r\n", len(inner)) + sized(0) + inner, "400", false},
	{"CL twice, the same", outer + fmt.Sprintf("Content-Length: %d\r\n", len(inner)) + sized(len(inner)) + inner, "400", true},
	{"CL as a list", lengthAs("Content-Length: 0, %d"), "400", false},
	{"CL as a list of the same", lengthAs("Content-Length: %[1]d, %[1]d"), "400", false},
	{"CL with +", lengthAs("Content-Length: +%d"), "400", false},
	{"CL with -", lengthAs("Content-Length: -%d"), "400", false},
	{"CL in hexadecimal", lengthAs("Content-Length: 0x%x"), "400", false},
	{"CL with zeros before it", lengthAs("Content-Length: 000%d"), "400", true},
	{"CL with a fraction", lengthAs("Content-Length: %d.0"), "400", false},
	{"CL with a power", lengthAs("Content-Length: %de0"), "400", false},
	{"CL with _", lengthAs("Content-Length: %d_0"), "400", false},
	{"CL with text after it", lengthAs("Content-Length: %d x"), "400", false},
	{"CL with spaces around it", lengthAs("Content-Length:   %d  "), "400", true},
	{"CL with a tab after it", lengthAs("Content-Length: %d\t"), "400", true},
	{"CL with a vertical tab", lengthAs("Content-Length: \v%d"), "400", false},
	{"CL without a value", lengthAs("Content-Length: \r\nX-N: %d"), "400", false},
	{"CL over 64 bits", lengthAs("Content-Length: 18446744073709551616\r\nX-N: %d"), "400", false},
	{"CL with space before the colon", lengthAs("Content-Length : %d"), "400", false},
	{"CL with a tab before the colon", lengthAs("Content-Length\t: %d"), "400", false},
	{"CL with a zero byte", lengthAs("Content-Length\x00: %d"), "400", false},
	{"CL with _ in its name", lengthAs("Content_Length: %d"), "400 200", false},
	{"CL folded", lengthAs("Content-Length:\r\n %d"), "400", false},
	{"CL in a fold", lengthAs("X-Fold: a\r\n Content-Length: %d"), "400 200", false},
	{"CL after a bare LF", lengthAs("X-A: b\nContent-Length: %d"), "400", false},
	{"CL after a bare CR", lengthAs("X-A: b\rContent-Length: %d"), "400", false},
	{"CL named by Connection", lengthAs("Connection: Content-Length\r\nContent-Length: %d"), "400", true},
	{"CL with Expect", lengthAs("Expect: 100-continue\r\nContent-Length: %d"), "400", true},
	{"CL with another Expect", lengthAs("Expect: y 100-continue\r\nContent-Length: %d"), "400", true},
	{"CL with Upgrade to h2c", lengthAs("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nContent-Length: %d"), "400", true},
	{"Upgrade to a web socket", outer + "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 777\r\n" + sized(2) + "{}" + inner, "400 200", false},
}

// encodings hide chunks from one of two readers, while a length covers all.
func encodings() (all []ambiguity) {
	for _, e := range []struct {
		name, header, straight string
	}{
		{"another word", "Transfer-Encoding: xchunked", "501"},
		{"a space before the colon", "Transfer-Encoding : chunked", "400"},
		{"a tab before the value", "Transfer-Encoding:\tchunked", "400"},
		{"a vertical tab before the value", "Transfer-Encoding: \vchunked", "400"},
		{"capitals", "Transfer-Encoding: CHUNKED", "400"},
		{"quotes", "Transfer-Encoding: \"chunked\"", "501"},
		{"a parameter", "Transfer-Encoding: chunked;q=1", "501"},
		{"a zero byte", "Transfer-Encoding: chunked\x00", "400"},
		{"an empty item", "Transfer-Encoding: ,chunked", "501"},
		{"identity after it", "Transfer-Encoding: chunked, identity", "501"},
		{"identity before it", "Transfer-Encoding: identity, chunked", "501"},
		{"gzip before it", "Transfer-Encoding: gzip, chunked", "501"},
		{"itself again", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "501"},
		{"another after it", "Transfer-Encoding: chunked\r\nTransfer-Encoding: x", "501"},
		{"another before it", "Transfer-Encoding: x\r\nTransfer-Encoding: chunked", "501"},
		{"a fold before the value", "Transfer-Encoding:\r\n chunked", "400"},
		{"a fold in its name", "Transfer-Encoding\r\n : chunked", "400"},
		{"a place in a fold", "X-A: b\r\n Transfer-Encoding: chunked", "400"},
		{"a bare LF before it", "X-A: b\nTransfer-Encoding: chunked", "400"},
		{"a bare CR before it", "X-A: b\rTransfer-Encoding: chunked", "400"},
		{"_ in its name", "Transfer_Encoding: chunked", "400"},
		{"no value", "Transfer-Encoding: ", "501"},
		{"its name in Connection", "Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked", "400"},
	} {
		all = append(all, ambiguity{"TE with " + e.name, outer + e.header + "\r\n" + sized(len(last+inner)) + last + inner, e.straight, false})
	}
	return all
}

// chunkForms are chunks that are not as they should be.
var chunkForms = []ambiguity{
	{"chunks", chunked("2\r\n{}\r\n" + last + inner), "400", false},
	{"a chunk with an extension", chunked("2;a=b\r\n{}\r\n" + last + inner), "400", false},
	{"an extension with a bare LF", chunked("2;a\n{}\r\n" + last + inner), "400", false},
	{"an extension that hides a chunk", chunked("2;\n{}\r\n3b\r\n0\r\n\r\n" + inner), "400", false},
	{"the last chunk with an extension", chunked("0;a=b\r\n\r\n" + inner), "400", false},
	{"an extension in quotes with CRLF", chunked("2;a=\"\r\n{}\r\n" + last + inner), "400", false},
	{"a chunk's size with 0x", chunked("0x2\r\n{}\r\n" + last + inner), "400", false},
	{"a chunk's size with +", chunked("+2\r\n{}\r\n" + last + inner), "400", false},
	{"a chunk's size with -", chunked("-2\r\n{}\r\n" + last + inner), "400", false},
	{"a chunk's size with a space before it", chunked(" 2\r\n{}\r\n" + last + inner), "400", false},
	{"a chunk's size with a space after it", chunked("2 \r\n{}\r\n" + last + inner), "400", false},
	{"a chunk's size with many zeros", chunked(strings.Repeat("0", 40) + "2\r\n{}\r\n" + last + inner), "400", false},
	{"a chunk's size over 64 bits", chunked("10000000000000000\r\n{}\r\n" + last + inner), "400", false},
	{"no chunk's size", chunked("\r\n{}\r\n" + last + inner), "400", false},
	{"chunks with bare LF", chunked("2\n{}\n0\n\n" + inner), "400", false},
	{"a chunk with a wrong end", chunked("2\r\n{}XX" + last + inner), "400", false},
	{"a chunk that is longer than said", chunked("1\r\n{}\r\n" + last + inner), "400", false},
	{"a trailer", chunked("0\r\nX-A: b\r\n\r\n" + inner), "400", false},
	{"a trailer with a length", chunked(fmt.Sprintf("0\r\nContent-Length: %d\r\n\r\n", len(inner)) + inner), "400", false},
	{"a trailer with bare LF", chunked("0\r\nX-A: b\n\n" + inner), "400", false},
	{"a trailer that is a request", chunked("0\r\n" + inner), "400", true},
}

// lines are headers and request lines that are not as they should be.
var lines = []ambiguity{
	{"bare LF everywhere", strings.ReplaceAll(outer+sized(2), "\r\n", "\n") + "{}" + inner, "400 200", false},
	{"a bare LF ends the header", outer + "Content-Length: 2\r\n\n" + "{}" + inner, "400 200", false},
	{"a bare CR ends the header", outer + "Content-Length: 2\r\n\r" + "{}" + inner, "400", false},
	{"an empty line first", "\r\n" + outer + sized(2) + "{}" + inner, "400", false},
	{"a header without a colon", outer + "X-A\r\n" + sized(2) + "{}" + inner, "400", false},
	{"a header without a name", outer + ": x\r\n" + sized(2) + "{}" + inner, "400", false},
	{"a fold as the first header", strings.Replace(outer, "\r\n", "\r\n X: y\r\n", 1) + sized(2) + "{}" + inner, "400", false},
	{"a fold", outer + "X-A: b\r\n c\r\n" + sized(2) + "{}" + inner, "400 200", false},
	{"a request in a header's value", outer + "X-A: b\r" + strings.ReplaceAll(inner, "\r\n", "\r") + "\r\n" + sized(2) + "{}", "400", true},
	{"two hosts", outer + "Host: other\r\n" + sized(2) + "{}" + inner, "400", false},
	{"a tab in the request line", strings.Replace(outer, " HTTP", "\tHTTP", 1) + sized(2) + "{}" + inner, "400", false},
	{"two versions", strings.Replace(outer, " HTTP/1.1", " HTTP/1.1 HTTP/1.1", 1) + sized(2) + "{}" + inner, "400", false},
	{"HTTP/1.0 with keep-alive", strings.Replace(outer, "1.1", "1.0", 1) + "Connection: keep-alive\r\n" + sized(2) + "{}" + inner, "400 200", false},
	{"HTTP/1.0 without a length", strings.Replace(outer, "1.1", "1.0", 1) + "\r\n" + inner, "400", false},
	{"HTTP/0.9", "GET /v1/queues\r\n" + inner, "400", false},
	{"HTTP/2.0", strings.Replace(outer, "1.1", "2.0", 1) + sized(2) + "{}" + inner, "505", false},
	{"HTTP/1.2", strings.Replace(outer, "1.1", "1.2", 1) + sized(2) + "{}" + inner, "400 200", false},
	{"HTTP/2's first words", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + inner, "404", false},
}

// targets name the host or the path in other ways.
var targets = []ambiguity{
	{"a whole URL", strings.Replace(outer, "/v1", "http://localhost/v1", 1) + sized(2) + "{}" + inner, "400 200", false},
	{"a whole URL of another host", strings.Replace(outer, "/v1", "http://other/v1", 1) + sized(2) + "{}" + inner, "403 200", false},
	{"a request line in the path", strings.Replace(outer, "/v1/queues", "/v1/queues%20HTTP/1.1%0d%0aX:%20y", 1) + sized(2) + "{}" + inner, "404 200", false},
	{"CONNECT", strings.Replace(outer, "POST /v1/queues", "CONNECT localhost:80", 1) + "\r\n" + inner, "405 200", false},
	{"OPTIONS *", strings.Replace(outer, "POST /v1/queues", "OPTIONS *", 1) + sized(0) + inner, "200 200", false},
	{"HEAD with a body", strings.Replace(outer, "POST", "HEAD", 1) + sized(len(inner)) + inner, "405", true},
	{"a path with two slashes", strings.Replace(outer, "/v1", "//v1", 1) + sized(2) + "{}" + inner, "404 200", false},
}
