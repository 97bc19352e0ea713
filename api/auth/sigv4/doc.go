// Package sigv4 verifies requests signed by AWS Signature Version 4, as a server. It
// knows no database and no queues: it is given the request as it came, its body, and a
// way to find the secrets of an access key id.
//
// # What is signed is what is served
//
// The canonical request is made of the request target as it was on the wire, never of a
// path that a router has cleaned: dot segments and empty segments stay. Some signers
// (Python, JavaScript) remove them before they sign, so their requests to such a path
// are refused; that is better than a signature for one path that serves another.
//
// The hash of the body is always computed here. UNSIGNED-PAYLOAD and STREAMING-* are
// refused, and X-Amz-Content-Sha256, if it is there, must be the body's hash.
//
// Host and every X-Amz-* header must be signed. So must Content-Type, since it chooses
// the protocol that the body is read in: a JSON message can hold text that is a whole
// form, with another action. The SDKs for PHP leave Content-Type unsigned. It is accepted
// from them where X-Amz-Target, which is signed, decides the same: with a target the
// type must be JSON, without one a form, or none.
//
// Only X-Amz-Date tells the time of a request. Date is not read: proxies set it, and no
// SDK relies on it.
//
// Any region is accepted unless Options.Region names one: clients of a server of one's
// own have whatever AWS_REGION says, the region is signed as all else, and the key alone
// decides what is allowed. Session tokens are refused: there is no service that makes any.
//
// # Refusals
//
// What the two protocols of SQS call them, and their status. The codes are those by which
// SDKs find out that their clock is wrong, correct it by the answer's Date header, and
// try again: RequestTimeTooSkewed is known as such to all of them. They do so from a
// difference of four (Go) or five minutes (JavaScript, Swift) on, so a Window below five
// minutes refuses clients that do not correct themselves.
//
//	Reason                      JSON __type (com.amazon.coral.service#)  Query code                  status
//	MissingAuthenticationToken  MissingAuthenticationTokenException      MissingAuthenticationToken  403
//	IncompleteSignature         IncompleteSignatureException             IncompleteSignature         400
//	InvalidClientTokenID        UnrecognizedClientException              InvalidClientTokenId        403
//	SignatureDoesNotMatch       InvalidSignatureException                SignatureDoesNotMatch       403
//	RequestTimeTooSkewed        RequestTimeTooSkewed                     RequestTimeTooSkewed        403
//	RequestExpired              RequestExpired                           RequestExpired              400
//
// # Cost
//
// Derived signing keys are kept for secret, day and region, and only once a request has
// been verified by them, so that requests which anybody can make fill nothing. A request
// whose signature is wrong costs the same number of HMACs whether its key is unknown, has
// one secret or two, and whatever is kept. A request that is malformed, or whose time is
// wrong, costs less: that tells nothing of keys.
package sigv4
