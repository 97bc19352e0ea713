package lifecycle

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// wire is what both protocols need.
type wire struct {
	ctx  context.Context
	http *http.Client
	base string
}

// post posts a body to an URL and hands the answer to read.
func (w wire) post(url, contentType, action, key string, body []byte, read func(*http.Response) error) error {
	req, err := http.NewRequestWithContext(w.ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", contentType)
	if contentType == jsonType {
		req.Header.Set("X-Amz-Target", "AmazonSQS."+action)
	}
	if key != "" {
		req.Header.Set("Amz-Sdk-Invocation-Id", key)
	}
	resp, err := w.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return read(resp)
}

const (
	jsonType = "application/x-amz-json-1.0"
	formType = "application/x-www-form-urlencoded"
)

// jsonProtocol is AWS JSON 1.0.
type jsonProtocol struct{ wire }

func (p jsonProtocol) call(action, key string, in members, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	return p.post(p.base+"/", jsonType, action, key, body, func(resp *http.Response) error {
		if resp.StatusCode != http.StatusOK {
			var refusal struct{ Message string }
			if err := json.NewDecoder(resp.Body).Decode(&refusal); err != nil {
				return fmt.Errorf("%s: status %d: %w", action, resp.StatusCode, err)
			}
			code, _, _ := strings.Cut(resp.Header.Get("x-amzn-query-error"), ";")
			return wireError(code, refusal.Message)
		}
		if out == nil {
			return nil
		}
		return json.NewDecoder(resp.Body).Decode(out)
	})
}

// queryProtocol is AWS Query: a form, answered in XML.
type queryProtocol struct{ wire }

func (p queryProtocol) call(action, key string, in members, out any) error {
	target := p.base + "/"
	form := url.Values{"Action": {action}, "Version": {"2012-11-05"}}
	if queue, ok := in["QueueUrl"].(string); ok {
		target = queue
	}
	addMembers(form, "", action, in)
	return p.post(target, formType, action, key, []byte(form.Encode()), func(resp *http.Response) error {
		if resp.StatusCode != http.StatusOK {
			var refusal struct {
				Error struct{ Code, Message string }
			}
			if err := xml.NewDecoder(resp.Body).Decode(&refusal); err != nil {
				return fmt.Errorf("%s: status %d: %w", action, resp.StatusCode, err)
			}
			return wireError(refusal.Error.Code, refusal.Error.Message)
		}
		if out == nil {
			return nil
		}
		return readXML(resp.Body, action+"Result", out)
	})
}

// flat are the names of lists and maps in forms, where they are not those of JSON.
var flat = map[string]string{
	"AttributeNames":              "AttributeName",
	"MessageSystemAttributeNames": "AttributeName",
	"MessageAttributeNames":       "MessageAttributeName",
	"MessageAttributes":           "MessageAttribute",
	"Attributes":                  "Attribute",
	"tags":                        "Tag",
	"Tags":                        "Tag",
	"TagKeys":                     "TagKey",
}

// addMembers adds members to a form, below a prefix.
func addMembers(form url.Values, prefix, action string, in members) {
	for name, value := range in {
		item := func(i int) string { return prefix + flat[name] + "." + strconv.Itoa(i+1) }
		switch v := value.(type) {
		case string:
			form.Set(prefix+name, v)
		case int:
			form.Set(prefix+name, strconv.Itoa(v))
		case []string:
			for i, text := range v {
				form.Set(item(i), text)
			}
		case []members:
			for i, entry := range v {
				addMembers(form, action+"RequestEntry."+strconv.Itoa(i+1)+".", action, entry)
			}
		case map[string]string:
			key := ".Name"
			if flat[name] == "Tag" {
				key = ".Key"
			}
			for i, k := range slices.Sorted(maps.Keys(v)) {
				form.Set(item(i)+key, k)
				form.Set(item(i)+".Value", v[k])
			}
		case map[string]attribute:
			for i, k := range slices.Sorted(maps.Keys(v)) {
				addAttribute(form, item(i), k, v[k])
			}
		default:
			panic(fmt.Sprintf("no form of %T", value))
		}
	}
}

func addAttribute(form url.Values, prefix, name string, a attribute) {
	form.Set(prefix+".Name", name)
	form.Set(prefix+".Value.DataType", a.DataType)
	if a.StringValue != "" {
		form.Set(prefix+".Value.StringValue", a.StringValue)
	}
	if a.BinaryValue != nil {
		form.Set(prefix+".Value.BinaryValue", base64.StdEncoding.EncodeToString(a.BinaryValue))
	}
}
