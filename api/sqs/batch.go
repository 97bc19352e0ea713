package sqs

import (
	"slices"
	"strconv"
)

const (
	maxEntries    = 10      // entries of one batch
	maxEntryID    = 80      // characters of an entry's id
	maxBatchBytes = 1 << 20 // bodies and attributes of one batch's messages
)

// checkEntries checks the shape of a batch, which fails as a whole where it is
// wrong, and returns the ids of its entries. The entries are named by their type in errors.
func checkEntries[E any](entryType string, entries []E, id func(E) *string) ([]string, error) {
	if len(entries) == 0 {
		return nil, errorf(emptyBatchRequest, "There should be at least one %s in the request.", entryType)
	}
	if len(entries) > maxEntries {
		return nil, errorf(tooManyEntries, "Maximum number of entries per request are %d. You have sent %d.", maxEntries, len(entries))
	}
	ids := make([]string, len(entries))
	for i, entry := range entries {
		id := id(entry)
		switch {
		case id == nil:
			return nil, missingEntry(entryType, i, "Id")
		case !isWord(*id, maxEntryID):
			return nil, errorf(invalidBatchEntryID, "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.")
		case slices.Contains(ids[:i], *id):
			return nil, errorf(batchEntryIDsNotDistinct, "Id %s repeated.", *id)
		}
		ids[i] = *id
	}
	return ids, nil
}

// missingEntry says that an entry, counted from 0, lacks a member.
func missingEntry(entryType string, entry int, member string) *apiError {
	return missing(entryType + "." + strconv.Itoa(entry+1) + "." + member)
}

func failed(id string, e *apiError) failedEntry {
	return failedEntry{Id: id, SenderFault: e.fault() == "Sender", Code: e.code, Message: e.message}
}
