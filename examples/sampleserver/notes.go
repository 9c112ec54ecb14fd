package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Bounds of what note_write keeps.
const (
	maxNotes     = 100
	maxNoteBytes = 4096
)

// notes are what note_write keeps, in the order of writing. Safe for use by
// several goroutines.
type notes struct {
	mu   sync.Mutex
	list []string // mu guards it
}

// add keeps a note and returns how many there are. It refuses an empty note, a
// note of several lines or of more than maxNoteBytes, and the one after
// maxNotes.
func (n *notes) add(note string) (int, error) {
	switch {
	case strings.TrimSpace(note) == "":
		return 0, fmt.Errorf("the note is empty")
	case len(note) > maxNoteBytes:
		return 0, fmt.Errorf("the note is longer than %d bytes", maxNoteBytes)
	case strings.ContainsAny(note, "\r\n"):
		return 0, fmt.Errorf("the note has more than one line")
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.list) == maxNotes {
		return 0, fmt.Errorf("there are %d notes already; restart the server to drop them", maxNotes)
	}
	n.list = append(n.list, note)
	return len(n.list), nil
}

// all returns a copy of the notes.
func (n *notes) all() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.list)
}
