package service

import "regexp"

// Somebody who mixes up the parts of a URL or of a request puts a token or a receipt where a name
// belongs, and both have the form of one.
var (
	tokenForm   = regexp.MustCompile(tokenPrefix + keyIDPrefix + `[A-Z2-7]{8}`)
	receiptForm = regexp.MustCompile(`^A[Q-Za-f][0-9A-Za-z_-]{64,}$`) // receiptVersion, and no shorter than receipts are
	nameForm    = regexp.MustCompile(`^[0-9A-Za-z._@+-]{1,80}$`)
)

// ShownName returns a name that a caller gave as logs show it: not where it is none, or looks
// like a token or a receipt.
func ShownName(name string) string {
	if name != "" && !nameForm.MatchString(name) {
		return "[not a name]"
	}
	return withoutSecret(name)
}

// withoutSecret is ShownName for messages to the caller, which have any other text as it was given.
func withoutSecret(name string) string {
	switch {
	case tokenForm.MatchString(name):
		return "[looks like a token]"
	case receiptForm.MatchString(name):
		return "[looks like a receipt]"
	}
	return name
}
