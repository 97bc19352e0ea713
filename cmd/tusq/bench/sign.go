package bench

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/valyala/fasthttp"
)

// signer signs the requests of one connection by Signature Version 4.
type signer struct {
	sign4       *v4.Signer
	credentials aws.Credentials
	region      string
	mirror      *http.Request // what is signed, as the SDK wants it
}

func newSigner(e *endpoint, s Signing) *signer {
	scheme := "http"
	if e.tls != nil {
		scheme = "https"
	}
	return &signer{
		sign4: v4.NewSigner(),
		credentials: aws.Credentials{
			AccessKeyID: s.AccessKey, SecretAccessKey: s.SecretKey, SessionToken: s.SessionToken,
		},
		region: s.Region,
		mirror: &http.Request{Method: http.MethodPost, Host: e.host, URL: &url.URL{Scheme: scheme, Host: e.host, Path: e.path + "/"}},
	}
}

// sign adds the headers of the signature.
func (s *signer) sign(ctx context.Context, r *fasthttp.Request, body []byte) error {
	s.mirror.Header = http.Header{
		"Content-Type": {string(r.Header.ContentType())},
		targetHeader:   {string(r.Header.Peek(targetHeader))},
	}
	s.mirror.ContentLength = int64(len(body))
	sum := sha256.Sum256(body)
	if err := s.sign4.SignHTTP(ctx, s.credentials, s.mirror, hex.EncodeToString(sum[:]), "sqs", s.region, time.Now()); err != nil {
		return err
	}
	for name, values := range s.mirror.Header {
		if name != "Content-Type" && name != targetHeader {
			r.Header.Set(name, values[0])
		}
	}
	return nil
}
