package sqs

import (
	"context"
	"net/http/httptest"
	"testing"
	"time"

	"tusq/service"
)

func TestActionsThatAreServed(t *testing.T) {
	t.Parallel()
	for name, action := range actions {
		if action.input == nil || action.run == nil {
			t.Errorf("%s is not served", name)
		}
	}
	if len(actions) != 23 {
		t.Errorf("%d actions, want 23", len(actions))
	}
}

func TestHandOverToNobody(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	w := httptest.NewRecorder()
	write := func() error { return jsonCodec{}.writeOutput(w, nil, "ReceiveMessage", new(receiveMessageOutput)) }
	if err := handOver(ctx, w, write); err == nil || w.Body.Len() > 0 {
		t.Errorf("got %v, wrote %q", err, w.Body)
	}
}

// What the service says of a change and SQS's words for it. Twelve hours after a
// receive are not to be waited for.
func TestExtendFailure(t *testing.T) {
	t.Parallel()
	extend := service.ExtendVisibility{Receipt: "r", Timeout: 12 * time.Hour}
	for code, want := range map[service.Code]string{
		service.CodeInvalidParameter: "InvalidParameterValue: Value 43200 for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message is beyond the limit [43200 seconds].",
		service.CodeMessageNotFound:  "InvalidParameterValue: Value r for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change.",
		service.CodeReceiptStale:     "InvalidParameterValue: Value r for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change.",
		service.CodeReceiptExpired:   "InvalidParameterValue: Value r for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change.",
		service.CodeReceiptInvalid:   `ReceiptHandleIsInvalid: The input receipt handle "r" is not a valid receipt handle.`,
		service.CodeUnavailable:      "unavailable: m",
	} {
		if got := extendFailure(extend, service.Errorf(code, "m")).Error(); got != want {
			t.Errorf("%s: got %s", code, got)
		}
	}
	if err := extendFailure(extend, nil); err != nil {
		t.Errorf("no error became %v", err)
	}
}
