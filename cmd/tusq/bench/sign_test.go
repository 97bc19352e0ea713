package bench

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// TestSignatures: the request as it arrives has the signature that the SDK gives it.
func TestSignatures(t *testing.T) {
	t.Parallel()
	keys := aws.Credentials{AccessKeyID: "key", SecretAccessKey: "secret", SessionToken: "session"}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got := r.Header.Get("Authorization")
		at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
		if err != nil || got == "" {
			t.Errorf("%v, %q", err, got)
		}
		body, _ := io.ReadAll(r.Body)
		sum := sha256.Sum256(body)
		again := r.Clone(t.Context())
		again.URL.Scheme, again.URL.Host = "http", r.Host
		for name := range again.Header {
			if !slices.Contains([]string{"Content-Type", targetHeader, "X-Amz-Security-Token"}, name) {
				again.Header.Del(name)
			}
		}
		if err := v4.NewSigner().SignHTTP(t.Context(), keys, again, hex.EncodeToString(sum[:]), "sqs", "eu-north-1", at); err != nil {
			t.Error(err)
		}
		if want := again.Header.Get("Authorization"); got != want {
			t.Errorf("signed %s\nwant   %s", got, want)
		}
	}))
	t.Cleanup(server.Close)
	o := options(t, Noop)
	o.SQS, o.Messages = server.URL+"/base", 5
	o.Signing = Signing{AccessKey: keys.AccessKeyID, SecretKey: keys.SecretAccessKey, SessionToken: keys.SessionToken, Region: "eu-north-1"}
	mustRun(t, o)
}
