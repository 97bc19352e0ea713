package secrets

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"tusq/service"
)

func quoted(text string) string {
	encoded, _ := json.Marshal(text) // a string
	return string(encoded)
}

// message is one to send, in JSON.
func message(body, attribute string) string {
	return fmt.Sprintf(`{"messages": [{"body": %s, "attributes": {"card": {"type": "String", "value": %s}}}]}`, quoted(body), quoted(attribute))
}

// queues makes a plain queue, an encrypted one and a FIFO one.
func (w *world) queues() {
	for _, body := range []string{`{"name": "orders"}`, `{"name": "sealed", "encryption": "body"}`, `{"name": "orders.fifo"}`} {
		w.ask(request{method: "POST", url: w.either() + "/v1/queues", body: body, want: 201})
	}
}

// messages sends, receives and settles, well and badly.
func (w *world) messages() {
	w.t.Helper()
	for _, queue := range []string{"orders", "sealed"} {
		base, body := w.either()+"/v1/queues/"+queue, map[string]string{"orders": w.body, "sealed": w.sealedBody}[queue]
		attribute := w.attribute
		if queue == "sealed" {
			attribute = w.secret("an encrypted attribute")
		}
		w.ask(request{method: "POST", url: base + "/messages", body: message(body, attribute), want: 200})
		w.ask(request{method: "POST", url: base + "/messages", body: body, headers: []string{"Content-Type", "text/plain", "Idempotency-Key", "once"}, want: 201})
		w.ask(request{method: "GET", url: base + "/messages", shows: true, want: 200})
		answer := w.ask(request{method: "POST", url: base + "/messages/receive", body: `{"max": 10}`, shows: true, want: 200})
		var received struct{ Messages []struct{ Receipt string } }
		if err := json.Unmarshal([]byte(answer), &received); err != nil || len(received.Messages) != 2 {
			w.t.Fatalf("received %s", answer)
		}
		for i, m := range received.Messages {
			w.add(fmt.Sprintf("receipt %d of %s", i, queue), m.Receipt)
			elsewhere := w.first.url + "/v1/queues/orders.fifo/messages/"
			w.ask(request{method: "DELETE", url: elsewhere + m.Receipt})
			w.ask(request{method: "DELETE", url: elsewhere + m.Receipt + "x"})
			w.ask(request{method: "DELETE", url: w.first.url + "/v1/queues/" + m.Receipt + "/messages/" + m.Receipt})
			w.ask(request{method: "GET", url: w.second.url + "/v1/queues/" + m.Receipt})
			w.ask(request{method: "DELETE", url: w.second.url + "/v1/queues/" + m.Receipt, want: 404}) // which the audit log notes
			w.ask(request{method: "POST", url: elsewhere + "delete", body: fmt.Sprintf(`{"receipts": [%q]}`, m.Receipt), want: 200})
			w.ask(request{method: "PATCH", url: base + "/messages/" + m.Receipt, body: `{"visibility_timeout": 60}`, want: 204})
			w.ask(request{method: "PATCH", url: base + "/messages/" + m.Receipt, body: `{"visibility_timeout": -60}`})
			if i == 0 {
				w.ask(request{method: "DELETE", url: base + "/messages/" + m.Receipt, want: 204})
				w.ask(request{method: "PATCH", url: base + "/messages/" + m.Receipt, body: `{"visibility_timeout": 60}`})
			}
		}
	}
}

// badMessages puts bodies where they do not belong.
func (w *world) badMessages() {
	body := w.body
	to := w.either() + "/v1/queues/orders/messages"
	for _, text := range []string{
		body, quoted(body), `{"messages": ` + quoted(body) + `}`, `{"messages": [` + quoted(body) + `]}`,
		`{"messages": [{"body": "` + body + `\u0000"}]}`, `{"messages": [{"body": "` + body + "\xff" + `"}]}`, `{"messages": [{"body": "` + body,
		`{"messages": [{"body": ` + quoted(strings.Repeat(body, 1<<20/len(body)+1)) + `}]}`,
		`{"messages": [{"body": "x", "delay_seconds": ` + quoted(body) + `}]}`,
		`{"messages": [{"body": "x", "attributes": {"a": {"type": ` + quoted(body) + `, "value": "1"}}}]}`,
		`{"messages": [{"body": "x", "attributes": {"a": {"type": "Number", "value": ` + quoted(body) + `}}}]}`,
		`{"messages": [{"body": "x", "attributes": {"a": {"type": "Binary", "value": ` + quoted(body) + `}}}]}`,
		`{"messages": [{"body": "x", "attributes": {"` + body + ` !": {"type": "String", "value": "x"}}}]}`,
		strings.Repeat(body, 17<<20/len(body)),
	} {
		w.ask(request{method: "POST", url: to, body: text, want: anyStatus}) // 200 where the message alone is wrong
		w.ask(request{method: "POST", url: w.either() + "/v1/queues", body: text})
	}
	for _, text := range []string{"{" + quoted(body) + ": 1}", `{"messages": [{"body": ` + quoted(body) + `, ` + quoted(body) + `: 1}]}`} {
		w.ask(request{method: "POST", url: to, body: text, echoes: true})
	}
	w.ask(request{method: "POST", url: to, body: body, headers: []string{"Content-Type", "application/" + body}})
	w.ask(request{method: "POST", url: to, body: body + "\x01", headers: []string{"Content-Type", "text/plain"}})
	w.ask(request{method: "POST", url: to + "?delay_seconds=" + body, body: body, headers: []string{"Content-Type", "text/plain"}})
	w.ask(request{method: "POST", url: w.either() + "/v1/queues/" + url.PathEscape(body+" is no name") + "/messages", body: message(body, body)})
	w.ask(request{method: "POST", url: w.either() + "/v1/queues/none/messages", body: message(body, body)})
	w.ask(request{method: "POST", url: w.either() + "/v1/queues/orders.fifo/messages", body: message(body, body), want: anyStatus})
}

// tokens puts tokens where they do not belong, and makes them wrong.
func (w *world) tokens() {
	w.t.Helper()
	token, secret := w.admin.Token().Reveal(), w.admin.Secret.Reveal()
	other := service.NewCredentials()
	w.learn("nobody", other)
	for _, header := range []string{
		token, "Basic " + token, "Bearer  x" + token, "Bearer " + token + token, "Bearer " + token[1:], "Bearer " + token[:len(token)-1] + "!", "Bearer " + secret,
		"Bearer " + other.Token().Reveal(), "Bearer " + token + ", Bearer " + token, "AWS4-HMAC-SHA256 " + token,
	} {
		for _, path := range []string{"/v1/queues", "/metrics", "/v1/nothing", "/v1/keys"} {
			if path == "/v1/nothing" {
				w.ask(request{method: "GET", url: w.either() + path, headers: []string{"Authorization", header}, want: 0})
				continue
			}
			w.ask(request{method: "GET", url: w.either() + path, headers: []string{"Authorization", header}, want: 401})
		}
	}
	w.ask(request{method: "GET", url: w.either() + "/v1/queues", headers: []string{"Authorization", "Bearer " + token, "Authorization", "Bearer " + token}})
	for _, parameter := range []string{"token", "access_token", "key", "Authorization", "prefix", "cursor"} {
		target := w.either() + "/v1/queues?" + parameter + "=" + url.QueryEscape(token)
		w.ask(request{method: "GET", url: target, headers: []string{"Authorization", ""}, want: 401})
		if parameter != "prefix" {
			w.ask(request{method: "GET", url: target})
		}
	}
	for _, path := range []string{
		"/v1/queues/" + token, "/v1/queues/" + token + "/messages", "/v1/" + token, "/" + token, "/v1/keys/" + token, "/v1/redrives/" + token, "/v1/users/" + token,
		"/000000000000/" + token, "/docs/" + token, "/v1/queues/" + token + "/stats", "/v1/queues/x" + token + "y",
	} {
		for _, method := range []string{"GET", "DELETE", "PUT"} {
			w.ask(request{method: method, url: w.either() + path})
		}
	}
	w.ask(request{method: "POST", url: w.either() + "/v1/queues", body: `{"name": "` + token + `"}`})
	w.ask(request{method: "POST", url: w.either() + "/v1/keys", body: `{"name": "` + token + `", "actions": ["` + token + `"], "queues": ["` + token + `"]}`})
	w.ask(request{method: "GET", url: w.either() + "/v1/nothing", headers: []string{
		"X-Request-Id", token, "User-Agent", token, "X-Forwarded-For", token, "Referer", w.first.url + "/?token=" + token, "Cookie", "tusq=" + token, "X-Api-Key", secret}})
	w.ask(request{method: "POST", url: w.either() + "/v1/queues/orders/messages", body: message("x", "y"), headers: []string{"Idempotency-Key", strings.Repeat(token, 20)}})
}

// keys makes, changes and revokes keys.
func (w *world) keys() {
	w.t.Helper()
	base := w.first.url + "/v1/keys"
	create := `{"name": "shop", "actions": ["send_messages"], "queues": ["orders"]}`
	made := w.learnKey("a key", w.ask(request{method: "POST", url: base, body: create, shows: true, want: 201}))
	w.ask(request{method: "GET", url: base + "/" + made.KeyID, want: 200})
	w.ask(request{method: "GET", url: base, want: 200})
	w.ask(request{method: "POST", url: w.first.url + "/v1/queues/orders/messages", body: message(w.body, "x"), token: made.Token().Reveal(), want: 200})
	w.ask(request{method: "POST", url: w.first.url + "/v1/queues/orders/messages/receive", token: made.Token().Reveal(), want: 403})
	for _, name := range []string{made.Token().Reveal(), w.admin.Token().Reveal()} { // refusals are noted too
		w.ask(request{method: "DELETE", url: w.first.url + "/v1/queues/" + name, token: made.Token().Reveal(), want: 403})
	}
	rotated := w.learnKey("a rotated key", w.ask(request{method: "POST", url: base + "/" + made.KeyID + "/rotate", body: `{"grace_seconds": 0}`, shows: true, want: 200}))
	w.ask(request{method: "GET", url: w.first.url + "/v1/queues/orders", token: made.Token().Reveal(), want: 401})
	w.ask(request{method: "DELETE", url: base + "/" + made.KeyID, want: 204})
	w.ask(request{method: "GET", url: w.first.url + "/v1/queues/orders", token: rotated.Token().Reveal(), want: 401})
}

// learnKey puts in what a key's answer shows.
func (w *world) learnKey(name, answer string) service.Credentials {
	w.t.Helper()
	made, ok := service.ParseCredentials(w.field(answer, "token"))
	if !ok || w.field(answer, "secret") != made.Secret.Reveal() {
		w.t.Fatal("the answer has no token")
	}
	w.learn(name, made)
	return made
}

// users makes users, and signs in to the console by passwords and tokens, right and wrong.
func (w *world) users() {
	w.t.Helper()
	password, next, wrong := w.secret("a password"), w.secret("another password"), w.secret("a wrong password")
	base := w.either() + "/v1/users"
	create := `{"name": "ann", "password": "` + password + `", "actions": ["list_queues", "get_queue", "peek_messages"], "queues": ["*"]}`
	w.ask(request{method: "POST", url: base, body: create, want: 201})
	w.ask(request{method: "POST", url: base, body: create})
	w.ask(request{method: "POST", url: base, body: `{"name": "` + password + `!", "password": "` + password + `"`})
	w.ask(request{method: "POST", url: base, body: `{"name": "bob", "password": ["` + password + `"]}`})
	w.ask(request{method: "PATCH", url: base + "/ann", body: `{"password": "` + next + `"}`, want: 200})
	w.ask(request{method: "GET", url: base, want: 200})

	right := url.Values{"account": {"000000000000"}, "user": {"ann"}, "password": {next}}
	w.signIn(right, "/console/queues/orders/messages")
	w.signIn(url.Values{"key": {w.admin.Token().Reveal()}}, "/console/queues")
	for _, form := range []url.Values{
		{"account": right["account"], "user": right["user"], "password": {wrong}},
		{"account": right["account"], "user": right["user"], "password": {password}},
		{"account": right["account"], "user": {"nobody"}, "password": {wrong}},
		{"key": {w.admin.Token().Reveal() + "x"}}, {"key": {w.admin.Secret.Reveal()}},
		{"password": {wrong, wrong}}, {},
	} {
		for _, base := range []string{w.first.url, w.second.url} {
			w.ask(request{method: "POST", url: base + "/console/signin", body: form.Encode(), headers: []string{"Content-Type", "application/x-www-form-urlencoded", "Authorization", ""}})
		}
	}
	w.ask(request{method: "GET", url: w.either() + "/console/signin?password=" + wrong + "&key=" + w.admin.Token().Reveal(), want: 200})
}

// signIn signs in, looks at pages, and signs out; the session's cookie is a secret.
func (w *world) signIn(form url.Values, messages string) {
	w.t.Helper()
	jar, err := cookiejar.New(nil)
	must(w.t, err)
	plain := w.http
	browser := *plain
	browser.Jar = jar
	w.http = &browser
	defer func() { w.http = plain }()
	headers := []string{"Content-Type", "application/x-www-form-urlencoded", "Authorization", ""}
	w.ask(request{method: "POST", url: w.first.url + "/console/signin", body: form.Encode(), headers: headers, shows: true, want: http.StatusSeeOther})
	address, _ := url.Parse(w.first.url)
	cookies := jar.Cookies(address)
	if len(cookies) != 1 {
		w.t.Fatalf("the browser keeps %d cookies", len(cookies))
	}
	w.add("a session "+fmt.Sprint(time.Now().UnixNano()), cookies[0].Value)
	for _, page := range []string{"/console/queues", "/console/queues/orders", "/console/queues/none", "/console/nothing", "/console/queues/orders?" + cookies[0].Value} {
		want := 200
		if strings.HasSuffix(page, "none") || strings.HasSuffix(page, "nothing") {
			want = 404
		}
		w.ask(request{method: "GET", url: w.first.url + page, headers: headers, shows: strings.Contains(page, "orders"), want: want})
	}
	w.ask(request{method: "GET", url: w.first.url + "/v1/queues", headers: []string{"Authorization", "Bearer " + cookies[0].Value}, want: 401})
	w.ask(request{method: "POST", url: w.first.url + "/console/signout", headers: headers, want: http.StatusSeeOther})
}

// sign signs a request to SQS, whose signature is then a secret.
func (w *world) sign(r *http.Request, by service.Credentials, body string) {
	w.t.Helper()
	hash := sha256.Sum256([]byte(body))
	credentials := aws.Credentials{AccessKeyID: by.KeyID, SecretAccessKey: by.Secret.Reveal()}
	must(w.t, v4.NewSigner().SignHTTP(w.t.Context(), credentials, r, hex.EncodeToString(hash[:]), "sqs", "us-east-1", time.Now()))
	header := r.Header.Get("Authorization")
	signature := header[strings.LastIndex(header, "=")+1:]
	w.add("signature "+signature[:4], signature)
}

// sqs makes signed requests, right and wrong.
func (w *world) sqs() {
	w.t.Helper()
	call := func(base, action, body string) *http.Request {
		r, err := http.NewRequestWithContext(w.t.Context(), "POST", base+"/", strings.NewReader(body))
		must(w.t, err)
		r.Header.Set("Content-Type", "application/x-amz-json-1.0")
		r.Header.Set("X-Amz-Target", "AmazonSQS."+action)
		return r
	}
	wrong := service.Credentials{KeyID: w.admin.KeyID, Secret: service.NewCredentials().Secret}
	w.learn("a wrong signer", wrong)
	for _, base := range []string{w.first.url, w.second.url} {
		send := `{"QueueUrl": "` + base + `/000000000000/orders", "MessageBody": ` + quoted(w.body) + `}`
		signed := call(base, "SendMessage", send)
		w.sign(signed, w.admin, send)
		header := signed.Header.Get("Authorization")
		w.do(signed, searched, 200)
		for _, bad := range []string{
			header[:len(header)-1], header + "0", "AWS4-HMAC-SHA256 " + header, header + ", " + header, strings.Replace(header, "us-east-1", w.body, 1),
			strings.Replace(header, "SignedHeaders", "Signed", 1), w.admin.Token().Reveal(),
		} {
			r := call(base, "SendMessage", send)
			r.Header.Set("X-Amz-Date", signed.Header.Get("X-Amz-Date"))
			r.Header.Set("Authorization", bad)
			w.do(r, searched, 0)
		}
		r := call(base, "SendMessage", send)
		w.sign(r, wrong, send)
		w.do(r, searched, 403)
		for _, body := range []string{
			w.body, `{"QueueUrl": ` + quoted(w.body+" is no name") + `}`, `{` + quoted(w.body) + `: 1}`, `{"QueueUrl": "` + base + `/000000000000/` + w.admin.Token().Reveal() + `", "MessageBody": ` + quoted(w.body) + `}`,
			`{"QueueUrl": "` + base + `/000000000000/orders", "MessageBody": "` + w.body + `\u0001"}`,
			`{"QueueUrl": "` + base + `/000000000000/orders", "MessageBody": [` + quoted(w.body) + `]}`,
			`{"QueueUrl": "` + base + `/000000000000/orders", "MessageBody": "x", "DelaySeconds": ` + quoted(w.body) + `}`,
			`{"QueueUrl": "` + base + `/000000000000/orders", "MessageBody": ` + quoted(strings.Repeat(w.body, 1<<20/len(w.body)+1)) + `}`,
			`{"QueueUrl": "` + base + `/000000000000/orders", "MessageBody": "x", "MessageAttributes": {"a": {"DataType": "Number", "StringValue": ` + quoted(w.body) + `}}}`,
		} {
			r := call(base, "SendMessage", body)
			w.sign(r, w.admin, body)
			w.do(r, searched, 0)
		}
		w.query(base)
		w.receipts(base, call)
		w.presigned(base)
	}
}

// query makes bad requests of the Query protocol.
func (w *world) query(base string) {
	w.t.Helper()
	for _, form := range []url.Values{
		{"Action": {"SendMessage"}, "QueueUrl": {"/000000000000/none"}, "MessageBody": {w.body}},
		{"Action": {w.body}}, {"Action": {"SendMessage"}, w.body: {"1"}}, {"Action": {"SendMessage"}, "DelaySeconds": {w.body}},
	} {
		r, err := http.NewRequestWithContext(w.t.Context(), "POST", base+"/", strings.NewReader(form.Encode()))
		must(w.t, err)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w.sign(r, w.admin, form.Encode())
		w.do(r, echoes, 0) // the action or the number that is none
	}
}

// receipts uses receipts badly, by SQS.
func (w *world) receipts(base string, call func(base, action, body string) *http.Request) {
	w.t.Helper()
	queue := base + "/000000000000/orders"
	receive := `{"QueueUrl": "` + queue + `"}`
	r := call(base, "ReceiveMessage", receive)
	w.sign(r, w.admin, receive)
	var received struct {
		Messages []struct{ ReceiptHandle string }
	}
	answer := w.do(r, shows, 200)
	if err := json.Unmarshal([]byte(answer), &received); err != nil || len(received.Messages) != 1 {
		w.t.Fatalf("received %s", answer)
	}
	receipt := received.Messages[0].ReceiptHandle
	w.add("a receipt by SQS "+receipt[len(receipt)-4:], receipt)
	for _, body := range []string{
		`{"QueueUrl": "` + queue + `", "ReceiptHandle": "` + receipt + `x"}`, `{"QueueUrl": "` + queue + `.fifo", "ReceiptHandle": "` + receipt + `"}`,
		`{"QueueUrl": "` + base + `/000000000000/` + receipt + `", "ReceiptHandle": "` + receipt + `"}`, `{"QueueUrl": "` + receipt + `"}`,
	} {
		r := call(base, "DeleteMessage", body)
		w.sign(r, w.admin, body)
		w.do(r, echoes, 0) // as Amazon's: The input receipt handle "..." is not a valid receipt handle.
	}
}

// presigned makes URLs that are credentials themselves.
func (w *world) presigned(base string) {
	w.t.Helper()
	credentials := aws.Credentials{AccessKeyID: w.admin.KeyID, SecretAccessKey: w.admin.Secret.Reveal()}
	for _, at := range []time.Time{time.Now(), time.Now().Add(-3 * time.Hour)} {
		r, err := http.NewRequestWithContext(w.t.Context(), "GET", base+"/?Action=ListQueues&Version=2012-11-05&X-Amz-Expires=300", nil)
		must(w.t, err)
		empty := sha256.Sum256(nil)
		signed, _, err := v4.NewSigner().PresignHTTP(w.t.Context(), credentials, r, hex.EncodeToString(empty[:]), "sqs", "us-east-1", at)
		must(w.t, err)
		signature := signed[strings.Index(signed, "X-Amz-Signature=")+len("X-Amz-Signature="):]
		w.add("signature of a URL "+signature[:4], signature)
		want := 200
		if time.Since(at) > time.Hour {
			want = 400
		}
		for target, want := range map[string]int{signed: want, signed + "0": 0, signed + "&X-Amz-Signature=" + signature: 0, strings.Replace(signed, "/?", "/nothing?", 1): 0} {
			r, err := http.NewRequestWithContext(w.t.Context(), "GET", target, nil)
			must(w.t, err)
			w.do(r, searched, want)
		}
	}
}
