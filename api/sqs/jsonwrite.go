package sqs

import (
	"encoding/base64"
	"slices"
	"strconv"
	"unicode/utf8"
)

// jsonOutput is an output of a hot action, which writes itself without reflection, as
// encoding/json would write it.
type jsonOutput interface {
	appendJSON(b []byte) []byte
}

func (o *sent) appendJSON(b []byte) []byte {
	return append(o.appendMembers(append(b, '{')), '}')
}

func (o *sent) appendMembers(b []byte) []byte {
	b = appendString(append(b, `"MessageId":`...), o.MessageId)
	b = appendString(append(b, `,"MD5OfMessageBody":`...), o.MD5OfMessageBody)
	if o.MD5OfMessageAttributes != "" {
		b = appendString(append(b, `,"MD5OfMessageAttributes":`...), o.MD5OfMessageAttributes)
	}
	if o.MD5OfMessageSystemAttributes != "" {
		b = appendString(append(b, `,"MD5OfMessageSystemAttributes":`...), o.MD5OfMessageSystemAttributes)
	}
	if o.SequenceNumber != "" {
		b = appendString(append(b, `,"SequenceNumber":`...), o.SequenceNumber)
	}
	return b
}

func (o *sendMessageBatchOutput) appendJSON(b []byte) []byte {
	return appendBatch(b, o.Successful, o.Failed, func(b []byte, e *sentEntry) []byte {
		b = appendString(append(b, `{"Id":`...), e.Id)
		return append(e.appendMembers(append(b, ',')), '}')
	})
}

func (o *settleBatchOutput) appendJSON(b []byte) []byte {
	return appendBatch(b, o.Successful, o.Failed, func(b []byte, e *doneEntry) []byte {
		return append(appendString(append(b, `{"Id":`...), e.Id), '}')
	})
}

// appendBatch writes the answer to a batch. Each of its lists may be empty, and is left out then.
func appendBatch[E any](b []byte, successful []E, failed []failedEntry, success func([]byte, *E) []byte) []byte {
	b = append(b, '{')
	if len(successful) > 0 {
		b = appendList(append(b, `"Successful":`...), successful, success)
	}
	if len(failed) > 0 {
		if len(successful) > 0 {
			b = append(b, ',')
		}
		b = appendList(append(b, `"Failed":`...), failed, appendFailed)
	}
	return append(b, '}')
}

func appendFailed(b []byte, e *failedEntry) []byte {
	b = appendString(append(b, `{"Id":`...), e.Id)
	b = strconv.AppendBool(append(b, `,"SenderFault":`...), e.SenderFault)
	b = appendString(append(b, `,"Code":`...), e.Code)
	return append(appendString(append(b, `,"Message":`...), e.Message), '}')
}

func (o *receiveMessageOutput) appendJSON(b []byte) []byte {
	b = append(b, '{')
	if len(o.Messages) > 0 {
		b = appendList(append(b, `"Messages":`...), o.Messages, appendMessage)
	}
	return append(b, '}')
}

func appendMessage(b []byte, m *message) []byte {
	b = appendString(append(b, `{"MessageId":`...), m.MessageId)
	b = appendString(append(b, `,"ReceiptHandle":`...), m.ReceiptHandle)
	b = appendString(append(b, `,"MD5OfBody":`...), m.MD5OfBody)
	b = appendString(append(b, `,"Body":`...), m.Body)
	if len(m.Attributes) > 0 {
		b = appendMap(append(b, `,"Attributes":`...), m.Attributes, appendString)
	}
	if m.MD5OfMessageAttributes != "" {
		b = appendString(append(b, `,"MD5OfMessageAttributes":`...), m.MD5OfMessageAttributes)
	}
	if len(m.MessageAttributes) > 0 {
		b = appendMap(append(b, `,"MessageAttributes":`...), m.MessageAttributes, appendAttribute)
	}
	return append(b, '}')
}

// appendAttribute writes a received attribute, which has no lists: none can be sent.
func appendAttribute(b []byte, v attributeValue) []byte {
	b = appendString(append(b, `{"DataType":`...), v.DataType)
	if v.StringValue != nil {
		b = appendString(append(b, `,"StringValue":`...), *v.StringValue)
	}
	if len(v.BinaryValue) > 0 {
		b = base64.StdEncoding.AppendEncode(append(b, `,"BinaryValue":"`...), v.BinaryValue)
		b = append(b, '"')
	}
	return append(b, '}')
}

func appendList[T any](b []byte, list []T, item func([]byte, *T) []byte) []byte {
	b = append(b, '[')
	for i := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = item(b, &list[i])
	}
	return append(b, ']')
}

// appendMap writes a map in the order of its keys.
func appendMap[V any](b []byte, values map[string]V, value func([]byte, V) []byte) []byte {
	keys := make([]string, 0, 16) // more than a message has; more would be allocated
	for key := range values {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	b = append(b, '{')
	for i, key := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = value(append(appendString(b, key), ':'), values[key])
	}
	return append(b, '}')
}

// appendString writes a string.
func appendString(b []byte, text string) []byte {
	b = append(b, '"')
	for text != "" {
		n := plainPrefix(text)
		b, text = append(b, text[:n]...), text[n:]
		if text != "" {
			c, size := utf8.DecodeRuneInString(text)
			b, text = appendRune(b, c, size), text[size:]
		}
	}
	return append(b, '"')
}

// appendRune writes a character that does not stand for itself in ASCII, and was size
// bytes long. As in JavaScript, the separators of lines and paragraphs are escaped.
func appendRune(b []byte, c rune, size int) []byte {
	const digits = "0123456789abcdef"
	switch {
	case c == '"' || c == '\\':
		return append(b, '\\', byte(c))
	case c == '\n':
		return append(b, `\n`...)
	case c == '\r':
		return append(b, `\r`...)
	case c == '\t':
		return append(b, `\t`...)
	case c == '\b':
		return append(b, `\b`...)
	case c == '\f':
		return append(b, `\f`...)
	case c < ' ':
		return append(b, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
	case c == utf8.RuneError && size == 1: // not UTF-8
		return append(b, `\ufffd`...)
	case c == '\u2028' || c == '\u2029':
		return append(append(b, `\u202`...), digits[c&15])
	}
	return utf8.AppendRune(b, c)
}
