package sqs

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"tusq/service"
)

// attributeTrace is the one system attribute that a sender can set.
const attributeTrace = "AWSTraceHeader"

// maxTrace bounds a trace header, in bytes; X-Ray's have about a hundred.
const maxTrace = 1024

var (
	attributeName   = regexp.MustCompile(`^[\pL\pN_.-]+$`)
	attributeNumber = regexp.MustCompile(`^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$`)
)

// parseAttributes returns a message's attributes, or what is wrong with the
// first wrong one in the order of the names. What SQS has no known words for is
// left to the service: periods in a row, and the range of numbers.
func parseAttributes(values map[string]attributeValue) (map[string]service.Attribute, *apiError) {
	if len(values) == 0 {
		return nil, nil
	}
	if len(values) > service.MaxAttributes {
		return nil, errorf(invalidParameterValue,
			"Number of message attributes [%d] exceeds the allowed maximum [%d].", len(values), service.MaxAttributes)
	}
	attributes := make(map[string]service.Attribute, len(values))
	for _, name := range slices.Sorted(maps.Keys(values)) {
		attribute, err := parseAttribute(name, values[name])
		if err != nil {
			return nil, err
		}
		attributes[name] = attribute
	}
	return attributes, nil
}

func parseAttribute(name string, value attributeValue) (service.Attribute, *apiError) {
	attribute := service.Attribute{Type: value.DataType, Binary: value.BinaryValue}
	if value.StringValue != nil {
		attribute.Value = *value.StringValue
	}
	if err := checkAttributeName(name); err != nil {
		return attribute, err
	}
	base := baseType(value.DataType)
	switch {
	case value.DataType == "":
		return attribute, errorf(invalidParameterValue, "Message (user) attribute '%s' must contain a non-empty attribute type.", shown(name))
	case len(value.StringListValues) > 0 || len(value.BinaryListValues) > 0:
		return attribute, errorf(unsupportedOperation,
			"Message (user) attribute '%s' has a list of values, which is not supported.", shown(name))
	case base != "String" && base != "Number" && base != "Binary":
		return attribute, errorf(invalidParameterValue,
			"The type of message (user) attribute '%s' is invalid. You must use only the following supported type prefixes: Binary, Number, String.", shown(name))
	case len(value.DataType) > service.MaxAttributeName:
		return attribute, errorf(invalidParameterValue, "Message (user) attribute types must be shorter than 256 Bytes")
	case value.StringValue != nil && value.BinaryValue != nil:
		return attribute, errorf(invalidParameterValue,
			"Message (user) attribute '%s' must have one value, not both a string and a binary one.", shown(name))
	case base == "Binary" && len(attribute.Binary) == 0, base != "Binary" && attribute.Value == "":
		return attribute, errorf(invalidParameterValue,
			"Message (user) attribute '%s' must contain a non-empty value of type '%s'.", shown(name), base)
	case base == "Number" && !attributeNumber.MatchString(attribute.Value):
		return attribute, errorf(invalidParameterValue, "Can't cast the value of message (user) attribute '%s' to a number.", shown(name))
	}
	return attribute, nil
}

// checkAttributeName checks an attribute's name, in SQS's words.
func checkAttributeName(name string) *apiError {
	switch {
	case name == "":
		return errorf(invalidParameterValue, "The request must contain non-empty message attribute name.")
	case utf8.RuneCountInString(name) > service.MaxAttributeName:
		return errorf(invalidParameterValue, "Message (user) attribute names must be shorter than 256 Bytes")
	case !attributeName.MatchString(name):
		return errorf(invalidParameterValue, "Message (user) attributes name can only contain upper and lower score characters, digits, periods, hyphens and underscores. ")
	case isReservedName(name):
		return errorf(invalidParameterValue, "You can't use message attribute names beginning with 'AWS.' or 'Amazon.'. "+
			"These strings are reserved for internal use. Additionally, they cannot start or end with '.'.")
	}
	return nil
}

// isReservedName tells whether an attribute's name is Amazon's, or none at all for its periods.
func isReservedName(name string) bool {
	lower := strings.ToLower(name)
	return strings.HasPrefix(lower, "aws.") || strings.HasPrefix(lower, "amazon.") ||
		strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".")
}

// parseSystemAttributes returns the trace header that a sender has given.
func parseSystemAttributes(values map[string]attributeValue) (string, *apiError) {
	if len(values) == 0 {
		return "", nil
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if name != attributeTrace {
			return "", errorf(invalidParameterValue,
				"Message system attribute name '%s' is invalid. Only %s can be sent.", shown(name), attributeTrace)
		}
	}
	value, given := values[attributeTrace]
	if !given {
		return "", nil
	}
	if value.DataType != "String" || value.StringValue == nil || !isTrace(*value.StringValue) {
		return "", errorf(invalidParameterValue,
			"Message system attribute '%s' must be of type 'String' and hold a trace header.", attributeTrace)
	}
	return *value.StringValue, nil
}

// traceHeader returns the trace header of a request, or "": one that is not
// well-formed may come from anything on the way and is no reason to fail.
func traceHeader(r *http.Request) string {
	if header := r.Header.Get("X-Amzn-Trace-Id"); isTrace(header) {
		return header
	}
	return ""
}

// isTrace tells whether a value can be a trace header: printable ASCII.
func isTrace(value string) bool {
	outside := func(r rune) bool { return r < ' ' || r > '~' }
	return value != "" && len(value) <= maxTrace && strings.IndexFunc(value, outside) < 0
}

// filterAttributes returns those of a message's attributes that a receiver has
// asked for: by name, by prefix ("prefix.*"), or all ("All", ".*", "*").
func filterAttributes(attributes map[string]service.Attribute, wanted []string) map[string]service.Attribute {
	filtered := make(map[string]service.Attribute)
	for name, attribute := range attributes {
		if slices.ContainsFunc(wanted, func(pattern string) bool { return matches(pattern, name) }) {
			filtered[name] = attribute
		}
	}
	return filtered
}

func matches(pattern, name string) bool {
	if pattern == "All" || pattern == "*" {
		return true
	}
	if prefix, found := strings.CutSuffix(pattern, ".*"); found {
		return strings.HasPrefix(name, prefix)
	}
	return pattern == name
}

// attributeValues returns attributes as they are sent to a receiver.
func attributeValues(attributes map[string]service.Attribute) map[string]attributeValue {
	values := make(map[string]attributeValue, len(attributes))
	for name, attribute := range attributes {
		value := attributeValue{DataType: attribute.Type}
		if isBinary(attribute.Type) {
			value.BinaryValue = attribute.Binary
		} else {
			value.StringValue = &attribute.Value
		}
		values[name] = value
	}
	return values
}
