package sqs

import (
	"regexp"
	"strconv"
)

const (
	maxEntries    = 10      // entries of one batch
	maxBatchBytes = 1 << 20 // bodies and attributes of one batch's messages
)

var entryID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)

// checkEntries checks the shape of a batch, which fails as a whole where it is
// wrong. The entries are named by their type in errors.
func checkEntries(entryType string, ids []string) error {
	if len(ids) == 0 {
		return errorf(emptyBatchRequest, "There should be at least one %s in the request.", entryType)
	}
	if len(ids) > maxEntries {
		return errorf(tooManyEntries, "Maximum number of entries per request are %d. You have sent %d.", maxEntries, len(ids))
	}
	seen := make(map[string]bool, len(ids))
	for i, id := range ids {
		switch {
		case id == "":
			return missingEntry(entryType, i, "Id")
		case !entryID.MatchString(id):
			return errorf(invalidBatchEntryID, "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.")
		case seen[id]:
			return errorf(batchEntryIDsNotDistinct, "Id %s repeated.", id)
		}
		seen[id] = true
	}
	return nil
}

// missingEntry says that an entry, counted from 0, lacks a member.
func missingEntry(entryType string, entry int, member string) *apiError {
	return missing(entryType + "." + strconv.Itoa(entry+1) + "." + member)
}

// ids returns the ids of a batch's entries.
func ids[E any](entries []E, id func(E) string) []string {
	list := make([]string, len(entries))
	for i, entry := range entries {
		list[i] = id(entry)
	}
	return list
}

func failed(id string, e *apiError) failedEntry {
	return failedEntry{Id: id, SenderFault: e.fault() == "Sender", Code: e.code, Message: e.message}
}
