package sigv4_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"tusq/api/auth/sigv4"
)

// replaced returns the signed request with a part of its Authorization replaced.
func replaced(old, replacement string) wire {
	w := signed(send())
	value := w.get("Authorization")
	if !strings.Contains(value, old) {
		panic(old)
	}
	return w.set("Authorization", strings.Replace(value, old, replacement, 1))
}

// signedLess returns a request whose signature does not cover some headers, which are
// added after signing.
func signedLess(w wire, names ...string) wire {
	rest := w
	for _, name := range names {
		rest = rest.without(name)
	}
	rest = signed(rest)
	for _, name := range names {
		rest = rest.with(name, w.get(name))
	}
	return rest
}

func TestWhatIsRefused(t *testing.T) {
	t.Parallel()
	form := func() wire {
		return unsigned("POST", "/", "Action=ListQueues").without("X-Amz-Target").
			set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	}
	get := func(query string) wire {
		return signature{}.presign(unsigned("GET", "/?Action=ListQueues&X-Amz-Expires=3600", "")).extend(query)
	}
	cases := map[string]struct {
		w    wire
		want sigv4.Reason
	}{
		"nothing wrong":                {signed(send()), ""},
		"form":                         {signed(form()), ""},
		"presigned":                    {get(""), ""},
		"absolute target":              {signed(send()).at("http://queue.example.com:9324/"), ""},
		"absolute target, no path":     {signed(send()).at("http://queue.example.com:9324"), ""},
		"no signature":                 {send(), sigv4.MissingAuthenticationToken},
		"another scheme":               {send().with("Authorization", "Bearer tusq_1_2_3"), sigv4.IncompleteSignature},
		"another algorithm":            {replaced("HMAC-SHA256", "ECDSA-P256-SHA256"), sigv4.IncompleteSignature},
		"two Authorization headers":    {signed(send()).with("Authorization", "Bearer x"), sigv4.IncompleteSignature},
		"the same header twice":        {signed(send()).with("Authorization", signed(send()).get("Authorization")), sigv4.IncompleteSignature},
		"header and query":             {signed(send()).extend("&X-Amz-Signature=00"), sigv4.IncompleteSignature},
		"header and escaped query":     {signed(send()).extend("&X%2dAmz-Algorithm=AWS4-HMAC-SHA256"), sigv4.IncompleteSignature},
		"long Authorization":           {replaced("Credential=", "Credential="+strings.Repeat("x", 5000)), sigv4.IncompleteSignature},
		"no credential":                {replaced("Credential=", "Credentials="), sigv4.IncompleteSignature},
		"a part is missing":            {replaced("SignedHeaders=", ""), sigv4.IncompleteSignature},
		"a part is doubled":            {replaced("Credential=", "Signature=00, Credential="), sigv4.IncompleteSignature},
		"a part is empty":              {replaced("Credential=", "Signature=, Credential="), sigv4.IncompleteSignature},
		"key id not well-formed":       {replaced(keyID, "AKID EXAMPLE"), sigv4.IncompleteSignature},
		"no key id":                    {replaced(keyID, ""), sigv4.IncompleteSignature},
		"unknown key id":               {replaced(keyID, "AKIDANOTHER"), sigv4.InvalidClientTokenID},
		"another secret":               {signature{secret: "another"}.sign(send()), sigv4.SignatureDoesNotMatch},
		"another service":              {signature{service: "sns"}.sign(send()), sigv4.SignatureDoesNotMatch},
		"another terminator":           {replaced("aws4_request", "aws5_request"), sigv4.SignatureDoesNotMatch},
		"more scope":                   {replaced("aws4_request", "aws4_request/x"), sigv4.SignatureDoesNotMatch},
		"another region is fine":       {signature{region: "eu-central-1"}.sign(send()), ""},
		"region changed":               {replaced("us-east-1", "us-east-2"), sigv4.SignatureDoesNotMatch},
		"no region":                    {replaced("us-east-1", ""), sigv4.IncompleteSignature},
		"scope of another day":         {replaced("20150830", "20150829"), sigv4.SignatureDoesNotMatch},
		"scope's date too long":        {replaced("20150830", "20150830T"), sigv4.IncompleteSignature},
		"upper-case signature":         {signed(send()).upperSignature(), sigv4.IncompleteSignature},
		"short signature":              {replaced("Signature=", "Signature=00"), sigv4.IncompleteSignature},
		"no date":                      {signed(send()).without("X-Amz-Date"), sigv4.IncompleteSignature},
		"Date instead":                 {signed(send()).without("X-Amz-Date").with("Date", "Sun, 30 Aug 2015 12:36:00 GMT"), sigv4.IncompleteSignature},
		"two dates":                    {signed(send()).with("X-Amz-Date", "20150830T123600Z"), sigv4.IncompleteSignature},
		"extended date":                {signed(send()).set("X-Amz-Date", "2015-08-30T12:36:00Z"), sigv4.IncompleteSignature},
		"date with a fraction":         {signed(send()).set("X-Amz-Date", "20150830T123600.5Z"), sigv4.IncompleteSignature},
		"no such date":                 {signed(send()).set("X-Amz-Date", "20150830T126000Z"), sigv4.IncompleteSignature},
		"host not signed":              {replaced("host;", ""), sigv4.IncompleteSignature},
		"unsorted signed headers":      {replaced("host;x-amz-date", "x-amz-date;host"), sigv4.IncompleteSignature},
		"doubled signed header":        {replaced("host;", "host;host;"), sigv4.IncompleteSignature},
		"upper-case signed header":     {replaced("=amz-sdk", "=Amz-sdk"), sigv4.IncompleteSignature},
		"empty signed header":          {replaced("host;", "host;;"), sigv4.IncompleteSignature},
		"too many signed headers":      {replaced("host;", "host;"+manyNames()), sigv4.IncompleteSignature},
		"signed header is missing":     {signed(send()).without("X-Amzn-Query-Mode"), sigv4.IncompleteSignature},
		"target added":                 {signed(form()).with("X-Amz-Target", "AmazonSQS.DeleteQueue"), sigv4.IncompleteSignature},
		"target doubled":               {signed(send()).with("X-Amz-Target", "AmazonSQS.DeleteQueue"), sigv4.IncompleteSignature},
		"any x-amz header added":       {signed(send()).with("x-amz-thing", ""), sigv4.IncompleteSignature},
		"session token":                {signature{token: "token"}.sign(send()), sigv4.InvalidClientTokenID},
		"presigned session token":      {signature{token: "token"}.presign(unsigned("GET", "/?X-Amz-Expires=60", "")), sigv4.InvalidClientTokenID},
		"hash":                         {signed(send().with("X-Amz-Content-Sha256", hashOf([]byte(send().body)))), ""},
		"hash of another body":         {signed(send().with("X-Amz-Content-Sha256", hashOf(nil))), sigv4.SignatureDoesNotMatch},
		"unsigned payload":             {signed(send().with("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")), sigv4.IncompleteSignature},
		"streamed payload":             {signed(send().with("X-Amz-Content-Sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")), sigv4.IncompleteSignature},
		"JSON, type not signed":        {signedLess(send(), "Content-Type"), ""},
		"form, type not signed":        {signedLess(form(), "Content-Type"), ""},
		"JSON turned into a form":      {signedLess(send(), "Content-Type").set("Content-Type", "application/x-www-form-urlencoded"), sigv4.IncompleteSignature},
		"JSON without its type":        {signedLess(send(), "Content-Type").without("Content-Type"), sigv4.IncompleteSignature},
		"JSON of an unknown type":      {signedLess(send(), "Content-Type").set("Content-Type", "text/plain"), sigv4.IncompleteSignature},
		"form turned into JSON":        {signedLess(form(), "Content-Type").set("Content-Type", "application/x-amz-json-1.0"), sigv4.IncompleteSignature},
		"a type added":                 {signed(form().without("Content-Type")).with("Content-Type", "application/x-amz-json-1.0"), sigv4.IncompleteSignature},
		"type doubled":                 {signed(send()).with("Content-Type", "application/x-amz-json-1.0"), sigv4.IncompleteSignature},
		"dot segments are not served":  {signed(unsigned("POST", "/0/orders", "")).at("/0/x/../orders"), sigv4.SignatureDoesNotMatch},
		"nor are empty segments":       {signed(unsigned("POST", "/0/orders", "")).at("//0/orders"), sigv4.SignatureDoesNotMatch},
		"another escape of the path":   {signed(unsigned("POST", "/0/orders", "")).at("/0/order%73"), sigv4.SignatureDoesNotMatch},
		"no path":                      {signed(send()).asked("OPTIONS", "*"), sigv4.IncompleteSignature},
		"long target":                  {signed(send()).at("/?" + strings.Repeat("x", 33<<10)), sigv4.IncompleteSignature},
		"too many parameters":          {signed(send()).at("/?" + strings.Repeat("a&", 1025)), sigv4.IncompleteSignature},
		"bad escape":                   {signed(send()).at("/?a=%zz"), sigv4.IncompleteSignature},
		"cut escape":                   {signed(send()).at("/?a=%4"), sigv4.IncompleteSignature},
		"presigned, doubled":           {get("&X-Amz-Date=20150830T123600Z"), sigv4.IncompleteSignature},
		"presigned, other parameter":   {get("&QueueNamePrefix=a"), sigv4.SignatureDoesNotMatch},
		"presigned, date header too":   {get("").with("X-Amz-Date", "20150830T123600Z"), sigv4.IncompleteSignature},
		"presigned, unsigned header":   {get("").with("X-Amz-Target", "AmazonSQS.DeleteQueue"), sigv4.IncompleteSignature},
		"presigned, with a body":       {get("").with("Content-Length", "1").withBody("x"), sigv4.SignatureDoesNotMatch},
		"presigned, another algorithm": {get("").at(strings.Replace(get("").target, "HMAC", "ECDSA", 1)), sigv4.IncompleteSignature},
		"a plus is a space":            {signed(unsigned("GET", "/?a=b%20c", "")).at("/?a=b+c"), ""},
		"and not a plus":               {signed(unsigned("GET", "/?a=b%2Bc", "")).at("/?a=b+c"), sigv4.SignatureDoesNotMatch},
		"empty parameters are none":    {signed(unsigned("GET", "/?a=b&c", "")).at("/?&a=b&&c=&"), ""},
		"sent on in chunks": {signed(send()).without("Content-Length").with("Transfer-Encoding", "chunked").
			withBody(fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(send().body), send().body)), ""},
		"another text of the length": {signed(send()).set("Content-Length", fmt.Sprintf("0%d", len(send().body))), sigv4.SignatureDoesNotMatch},
		"presigned, half":            {unsigned("GET", "/?X-Amz-Signature="+strings.Repeat("0", 64), ""), sigv4.IncompleteSignature},
		"presigned without an end":   {signature{}.presign(unsigned("GET", "/", "")), sigv4.IncompleteSignature},
		"presigned for no time":      {signature{}.presign(unsigned("GET", "/?X-Amz-Expires=0", "")), sigv4.IncompleteSignature},
		"presigned for a week":       {signature{}.presign(unsigned("GET", "/?X-Amz-Expires=604800", "")), ""},
		"presigned for longer":       {signature{}.presign(unsigned("GET", "/?X-Amz-Expires=604801", "")), sigv4.IncompleteSignature},
		"presigned for +60":          {signature{}.presign(unsigned("GET", "/?X-Amz-Expires=%2B60", "")), sigv4.IncompleteSignature},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			verified, err := c.w.verify(t, sigv4.New(sigv4.Options{Now: at(now)}))
			if got := reasonOf(err); got != c.want {
				t.Fatalf("want reason %q, got %v", c.want, err)
			}
			if err != nil && verified != (sigv4.Verified{}) {
				t.Errorf("a refused request is %+v", verified)
			}
		})
	}
}

// extend returns the request with more of a query string.
func (w wire) extend(query string) wire {
	if query != "" && !strings.Contains(w.target, "?") {
		query = "?" + query[1:]
	}
	w.target += query
	return w
}

func (w wire) at(target string) wire { w.target = target; return w }

func (w wire) withBody(body string) wire { w.body = body; return w }

func (w wire) asked(method, target string) wire { w.method, w.target = method, target; return w }

func (w wire) upperSignature() wire {
	value := w.get("Authorization")
	i := strings.Index(value, "Signature=") + len("Signature=")
	return w.set("Authorization", value[:i]+strings.ToUpper(value[i:]))
}

func manyNames() string {
	var names strings.Builder
	for i := range 64 {
		fmt.Fprintf(&names, "host%03d;", i)
	}
	return names.String()
}

func TestTimes(t *testing.T) {
	t.Parallel()
	header, presigned := signed(send()), signature{}.presign(unsigned("GET", "/?X-Amz-Expires=3600", ""))
	cases := []struct {
		w      wire
		window time.Duration
		late   time.Duration // from the signing to the server's now
		want   sigv4.Reason
	}{
		{header, 0, 5 * time.Minute, ""},
		{header, 0, 5*time.Minute + time.Second, sigv4.RequestTimeTooSkewed},
		{header, 0, -5 * time.Minute, ""},
		{header, 0, -5*time.Minute - time.Second, sigv4.RequestTimeTooSkewed},
		{header, time.Minute, 61 * time.Second, sigv4.RequestTimeTooSkewed},
		{header, time.Hour, 15 * time.Minute, ""},
		{header, time.Hour, 15*time.Minute + time.Second, sigv4.RequestTimeTooSkewed},
		{header, 0, 24 * time.Hour, sigv4.RequestTimeTooSkewed},
		{presigned, 0, time.Hour, ""},
		{presigned, 0, time.Hour + time.Second, sigv4.RequestExpired},
		{presigned, 0, -5 * time.Minute, ""},
		{presigned, 0, -5*time.Minute - time.Second, sigv4.RequestTimeTooSkewed},
	}
	for _, c := range cases {
		_, err := c.w.verify(t, sigv4.New(sigv4.Options{Window: c.window, Now: at(now.Add(c.late))}))
		if got := reasonOf(err); got != c.want {
			t.Errorf("%s, window %v, late %v: want reason %q, got %v", c.w.method, c.window, c.late, c.want, err)
		}
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	v := sigv4.New(sigv4.Options{Region: "eu-central-1", Service: "queues", NoPresigned: true, Now: at(now)})
	cases := map[string]struct {
		w    wire
		want sigv4.Reason
	}{
		"the region and service": {signature{region: "eu-central-1", service: "queues"}.sign(send()), ""},
		"another region":         {signature{region: "us-east-1", service: "queues"}.sign(send()), sigv4.SignatureDoesNotMatch},
		"another service":        {signature{region: "eu-central-1"}.sign(send()), sigv4.SignatureDoesNotMatch},
		"presigned": {signature{region: "eu-central-1", service: "queues"}.presign(unsigned("GET", "/?X-Amz-Expires=60", "")),
			sigv4.IncompleteSignature},
	}
	for name, c := range cases {
		if _, err := c.w.verify(t, v); reasonOf(err) != c.want {
			t.Errorf("%s: want reason %q, got %v", name, c.want, err)
		}
	}
}

func TestTheSecretsOfAKey(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		secrets []sigv4.Secret
		want    int // -1: refused
	}{
		"first":            {[]sigv4.Secret{secret, "other"}, 0},
		"second":           {[]sigv4.Secret{"other", secret}, 1},
		"the same twice":   {[]sigv4.Secret{secret, secret}, 0},
		"third is ignored": {[]sigv4.Secret{"other", "another", secret}, -1},
		"none is right":    {[]sigv4.Secret{"other", "another"}, -1},
		"empty":            {[]sigv4.Secret{""}, -1},
	}
	v := sigv4.New(sigv4.Options{Now: at(now)})
	for name, c := range cases {
		for _, w := range []wire{signed(send()), signature{secret: " "}.sign(send())} {
			r, body, _ := w.parse()
			verified, err := v.Verify(r, body, func(string) []sigv4.Secret { return c.secrets })
			right := strings.Contains(w.String(), signed(send()).get("Authorization"))
			if accepted := err == nil; accepted != (right && c.want >= 0) || accepted && verified.Secret() != c.want {
				t.Errorf("%s: want secret %d, got %+v, %v", name, c.want, verified, err)
			}
		}
	}
}

func TestARevokedSecretIsForgotten(t *testing.T) {
	t.Parallel()
	v, w := sigv4.New(sigv4.Options{Now: at(now)}), signed(send())
	if _, err := w.verify(t, v); err != nil {
		t.Fatal(err)
	}
	r, body, _ := w.parse()
	if _, err := v.Verify(r, body, func(string) []sigv4.Secret { return []sigv4.Secret{"new"} }); reasonOf(err) != sigv4.SignatureDoesNotMatch {
		t.Errorf("the old secret: %v", err)
	}
}

func TestKeyID(t *testing.T) {
	t.Parallel()
	for _, w := range []wire{
		signature{secret: "wrong"}.sign(send()),
		signature{secret: "wrong"}.presign(unsigned("GET", "/?X-Amz-Expires=60", "")),
		send().with("Authorization", "AWS4-HMAC-SHA256 Credential="+keyID),
		signed(send()).with("Authorization", "Basic eDp5"),
		unsigned("GET", "/?%zz&X-Amz-Credential="+keyID, ""),
	} {
		r, _, _ := w.parse()
		if id := sigv4.KeyID(r); id != keyID {
			t.Errorf("key id %q of %v", id, w)
		}
	}
	r, _, _ := send().parse()
	if id := sigv4.KeyID(r); id != "" {
		t.Errorf("no signature: key id %q", id)
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	s := sigv4.Secret("canary")
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "secret", s, "all", []sigv4.Secret{s})
	fmt.Fprintf(&out, "%v %+v %#v %s %q %x %v", s, s, s, s, s, s, []sigv4.Secret{s})
	_ = json.NewEncoder(&out).Encode(map[string]any{"secret": s})
	if strings.Contains(out.String(), "canary") || strings.Contains(out.String(), "63616e617279") {
		t.Errorf("the secret is in %s", &out)
	}
}
