package load

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"tusq/test/fault/history"
)

// rest is the REST API.
type rest struct{}

func (rest) name() string { return "rest" }

func restRequest(method, queue, part string, body []byte) request {
	r := request{method: method, path: "/v1/queues/" + queue + part, body: body}
	if body != nil {
		r.header = []string{"Content-Type", "application/json"}
	}
	return r
}

func (rest) send(queue string, messages []outgoing, key string) request {
	b := make([]byte, 0, 1024*len(messages))
	single := len(messages) == 1 && len(messages[0].body)%2 == 0 // else a batch of one
	if single {
		b = appendREST(b, messages[0])
	} else {
		b = append(b, `{"messages":`...)
		b = appendEach(b, len(messages), func(b []byte, i int) []byte { return appendREST(b, messages[i]) })
		b = append(b, '}')
	}
	r := restRequest(http.MethodPost, queue, "/messages", b)
	r.single = single
	if key != "" {
		r.header = append(r.header, "Idempotency-Key", key)
	}
	return r
}

func appendREST(b []byte, m outgoing) []byte {
	b = appendText(append(b, `{"body":`...), m.body)
	if m.delay > 0 {
		b = strconv.AppendInt(append(b, `,"delay_seconds":`...), int64(m.delay), 10)
	}
	if m.group != "" {
		b = appendMember(appendMember(b, "group_id", m.group), "deduplication_id", m.uid)
	}
	for i, a := range m.attributes {
		b = append(b, [...]string{`,"attributes":{`, `,`}[min(i, 1)]...)
		b = appendText(append(appendText(b, a.name), `:{"type":`...), a.kind)
		b = append(appendMember(b, "value", a.value), '}')
	}
	if len(m.attributes) > 0 {
		b = append(b, '}')
	}
	return append(b, '}')
}

// restError is why one message failed.
type restError struct {
	Code string `json:"code"`
}

// result says what is known of a message with this error, nil: none.
func (e *restError) result() result {
	switch {
	case e == nil:
		return result{outcome: history.OK}
	case e.Code == "internal" || e.Code == "unavailable" || e.Code == "overloaded":
		return result{outcome: history.Unknown, err: e.Code}
	}
	return result{outcome: history.Fail, err: e.Code}
}

// restSent is the answer to one message.
type restSent struct {
	ID       string     `json:"id"`
	Sequence string     `json:"sequence"`
	Error    *restError `json:"error"`
}

func (rest) sent(r request, body []byte, messages []outgoing) ([]result, error) {
	var answer struct {
		restSent
		Results []restSent `json:"results"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, err
	}
	if r.single {
		answer.Results = []restSent{answer.restSent}
	}
	if len(answer.Results) != len(messages) {
		return nil, fmt.Errorf("%d results for %d messages", len(answer.Results), len(messages))
	}
	results := make([]result, len(messages))
	for i, sent := range answer.Results {
		results[i] = sent.Error.result()
		results[i].id, results[i].sequence = sent.ID, sent.Sequence
		if sent.Error == nil && sent.ID == "" {
			results[i].err = errUnanswered
			results[i].outcome = history.Unknown
		}
	}
	return results, nil
}

func (rest) receive(queue string, ask receive) request {
	body := fmt.Appendf(nil, `{"max":%d,"wait_seconds":%d,"visibility_timeout":%d}`, ask.most, ask.wait, ask.visibility)
	r := restRequest(http.MethodPost, queue, "/messages/receive", body)
	r.wait = time.Duration(ask.wait) * time.Second
	return r
}

func (rest) received(body []byte) ([]received, error) {
	var answer struct {
		Messages []struct {
			ID              string `json:"id"`
			Receipt         string `json:"receipt"`
			Body            string `json:"body"`
			GroupID         string `json:"group_id"`
			DeduplicationID string `json:"deduplication_id"`
			Sequence        string `json:"sequence"`
			ReceiveCount    int    `json:"receive_count"`
			Attributes      map[string]struct{ Type, Value string }
		} `json:"messages"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, err
	}
	messages := make([]received, len(answer.Messages))
	for i, m := range answer.Messages {
		var attributes []attribute
		for name, a := range m.Attributes {
			attributes = append(attributes, attribute{name, a.Type, a.Value})
		}
		sortAttributes(attributes)
		messages[i] = newReceived(history.Message{
			ID: m.ID, Group: m.GroupID, Deduplication: m.DeduplicationID, Sequence: m.Sequence, Receives: m.ReceiveCount,
		}, m.Receipt, m.Body, attributes)
	}
	return messages, nil
}

func sortAttributes(attributes []attribute) {
	slices.SortFunc(attributes, func(a, b attribute) int { return cmp.Compare(a.name, b.name) })
}

func (rest) remove(queue string, receipts []string) request {
	if len(receipts) == 1 {
		r := restRequest(http.MethodDelete, queue, "/messages/"+receipts[0], nil)
		r.single = true
		return r
	}
	b := append(make([]byte, 0, 128*len(receipts)), `{"receipts":`...)
	b = appendEach(b, len(receipts), func(b []byte, i int) []byte { return appendText(b, receipts[i]) })
	return restRequest(http.MethodPost, queue, "/messages/delete", append(b, '}'))
}

func (rest) extend(queue string, receipts []string, timeout int) request {
	if len(receipts) == 1 {
		body := fmt.Appendf(nil, `{"visibility_timeout":%d}`, timeout)
		r := restRequest(http.MethodPatch, queue, "/messages/"+receipts[0], body)
		r.single = true
		return r
	}
	b := append(make([]byte, 0, 160*len(receipts)), `{"messages":`...)
	b = appendEach(b, len(receipts), func(b []byte, i int) []byte {
		b = appendText(append(b, `{"receipt":`...), receipts[i])
		return fmt.Appendf(b, `,"visibility_timeout":%d}`, timeout)
	})
	return restRequest(http.MethodPost, queue, "/messages/visibility", append(b, '}'))
}

func (rest) settled(r request, body []byte, n int) ([]result, error) {
	if r.single {
		return same(1, history.OK, ""), nil
	}
	var answer struct {
		Results []struct {
			Error *restError `json:"error"`
		} `json:"results"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, err
	}
	if len(answer.Results) != n {
		return nil, fmt.Errorf("%d results for %d receipts", len(answer.Results), n)
	}
	results := make([]result, n)
	for i, r := range answer.Results {
		results[i] = r.Error.result()
	}
	return results, nil
}

func (rest) purge(queue string) request { return restRequest(http.MethodPost, queue, "/purge", nil) }

func (rest) code(body []byte) string {
	var problem restError
	_ = json.Unmarshal(body, &problem) // a load balancer's errors are no JSON
	return problem.Code
}
