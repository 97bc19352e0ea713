package lifecycle

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"tusq/service"
)

// What SQS answers, for both decoders.

type sentEntry struct {
	ID               string `json:"Id" xml:"Id"`
	MessageID        string `json:"MessageId" xml:"MessageId"`
	MD5OfMessageBody string
	SequenceNumber   string
	Code             string
	Message          string
}

// batchAnswer is the answer to any batch.
type batchAnswer struct{ Successful, Failed []sentEntry }

// UnmarshalXML reads a result whose entries are named after their action.
func (b *batchAnswer) UnmarshalXML(d *xml.Decoder, start xml.StartElement) error {
	for {
		token, err := d.Token()
		if err != nil {
			return err
		}
		element, isStart := token.(xml.StartElement)
		if !isStart {
			if _, isEnd := token.(xml.EndElement); isEnd {
				return nil
			}
			continue
		}
		var entry sentEntry
		if err := d.DecodeElement(&entry, &element); err != nil {
			return err
		}
		switch {
		case element.Name.Local == "BatchResultErrorEntry":
			b.Failed = append(b.Failed, entry)
		case strings.HasSuffix(element.Name.Local, "BatchResultEntry"):
			b.Successful = append(b.Successful, entry)
		default:
			return fmt.Errorf("%s holds an unknown %s", start.Name.Local, element.Name.Local)
		}
	}
}

type incoming struct {
	MessageID         string `json:"MessageId" xml:"MessageId"`
	ReceiptHandle     string
	MD5OfBody         string
	Body              string
	Attributes        textMap      `xml:"Attribute"`
	MessageAttributes attributeMap `xml:"MessageAttribute"`
}

type moveTask struct {
	TaskHandle, Status, SourceArn, DestinationArn string
	MaxNumberOfMessagesPerSecond                  int
	ApproximateNumberOfMessagesMoved              int64
	ApproximateNumberOfMessagesToMove             int64
}

// textMap is an object in JSON and a list of Name or Key with Value in XML.
type textMap map[string]string

// UnmarshalXML reads one entry.
func (m *textMap) UnmarshalXML(d *xml.Decoder, start xml.StartElement) error {
	var entry struct{ Name, Key, Value string }
	if err := d.DecodeElement(&entry, &start); err != nil {
		return err
	}
	if *m == nil {
		*m = textMap{}
	}
	(*m)[entry.Name+entry.Key] = entry.Value
	return nil
}

// attributeMap are message attributes in both protocols.
type attributeMap map[string]service.Attribute

// UnmarshalXML reads one attribute.
func (m *attributeMap) UnmarshalXML(d *xml.Decoder, start xml.StartElement) error {
	var entry struct {
		Name  string
		Value struct{ DataType, StringValue, BinaryValue string }
	}
	if err := d.DecodeElement(&entry, &start); err != nil {
		return err
	}
	return m.add(entry.Name, entry.Value.DataType, entry.Value.StringValue, entry.Value.BinaryValue)
}

// UnmarshalJSON reads all attributes.
func (m *attributeMap) UnmarshalJSON(text []byte) error {
	var entries map[string]struct{ DataType, StringValue, BinaryValue string }
	if err := json.Unmarshal(text, &entries); err != nil {
		return err
	}
	for name, entry := range entries {
		if err := m.add(name, entry.DataType, entry.StringValue, entry.BinaryValue); err != nil {
			return err
		}
	}
	return nil
}

func (m *attributeMap) add(name, dataType, text, binary string) error {
	var raw []byte
	if err := json.Unmarshal([]byte(`"`+binary+`"`), &raw); err != nil {
		return fmt.Errorf("attribute %s: %w", name, err)
	}
	if *m == nil {
		*m = attributeMap{}
	}
	a := service.Attribute{Type: dataType, Value: text}
	if len(raw) > 0 {
		a.Binary = raw
	}
	(*m)[name] = a
	return nil
}

// wireCodes are the codes that come nearest to SQS's Query codes.
var wireCodes = map[string]service.Code{
	"AWS.SimpleQueueService.NonExistentQueue":     service.CodeQueueNotFound,
	"QueueAlreadyExists":                          service.CodeQueueExists,
	"AWS.SimpleQueueService.QueueDeletedRecently": service.CodeQueueDeletedRecently,
	"AWS.SimpleQueueService.PurgeQueueInProgress": service.CodePurgeInProgress,
	"AWS.SimpleQueueService.EmptyBatchRequest":    service.CodeBatchEmpty,
	"ReceiptHandleIsInvalid":                      service.CodeReceiptInvalid,
	"InvalidMessageContents":                      service.CodeInvalidMessage,
	"InvalidAttributeValue":                       service.CodeInvalidParameter,
	"InvalidAttributeName":                        service.CodeInvalidParameter,
	"InvalidParameterValue":                       service.CodeInvalidParameter,
	"MissingParameter":                            service.CodeMissingParameter,
	"ResourceNotFoundException":                   service.CodeQueueNotFound,
	"AWS.SimpleQueueService.UnsupportedOperation": service.CodeRedriveRunning,
	"OverLimit": service.CodeTooManyInFlight,
	"AWS.SimpleQueueService.InvalidBatchEntryId":      service.CodeInvalidParameter,
	"AWS.SimpleQueueService.BatchRequestTooLong":      service.CodeBatchTooLarge,
	"AWS.SimpleQueueService.BatchEntryIdsNotDistinct": service.CodeInvalidParameter,
}

// reasons are the texts by which SQS tells apart what has the same code.
var reasons = []struct {
	text string
	code service.Code
}{
	{"Message does not exist or is not available for visibility timeout change", service.CodeMessageNotFound},
	{"The receipt handle has expired.", service.CodeReceiptExpired},
	{"The receiveRequestAttemptId is not valid anymore since the receive call is not retryable.", service.CodeAttemptVoid},
	{"ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly", service.CodeMissingParameter},
	{"Source queue must be configured as a Dead Letter Queue.", service.CodeNotDeadLetterQueue},
	{"There is already a task running. Only one active task is allowed for a source queue arn at a given time.", service.CodeRedriveRunning},
	{"The request must contain the parameter MessageGroupId.", service.CodeMissingParameter},
}

// wireError makes an error of its Query code and text.
func wireError(code, text string) error {
	known, ok := wireCodes[code]
	if !ok {
		return fmt.Errorf("%s: %s", code, text)
	}
	for _, r := range reasons {
		if strings.Contains(text, r.text) {
			known = r.code
		}
	}
	return service.Errorf(known, "%s: %s", code, text)
}

// readXML fills out from the result of an action.
func readXML(body io.Reader, result string, out any) error {
	d := xml.NewDecoder(body)
	for {
		token, err := d.Token()
		if err != nil {
			return fmt.Errorf("the answer has no %s: %w", result, err)
		}
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == result {
			return d.DecodeElement(out, &start)
		}
	}
}
