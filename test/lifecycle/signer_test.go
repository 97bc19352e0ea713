package lifecycle

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"tusq/service"
	"tusq/test/testserver"
)

// signer signs requests on their way.
type signer struct {
	sign4 *v4.Signer
	key   service.Credentials
}

// RoundTrip signs a request and makes it.
func (s signer) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	signed := r.Clone(r.Context())
	signed.Body = io.NopCloser(bytes.NewReader(body))
	sum := sha256.Sum256(body)
	credentials := aws.Credentials{AccessKeyID: s.key.KeyID, SecretAccessKey: s.key.Secret.Reveal()}
	if err := s.sign4.SignHTTP(r.Context(), credentials, signed, hex.EncodeToString(sum[:]), "sqs", testserver.Region, time.Now()); err != nil {
		return nil, err
	}
	return http.DefaultTransport.RoundTrip(signed)
}
