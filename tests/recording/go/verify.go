// Verifies a log with Go's reference implementation: verify VKEY FOLDER
package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func check(err error) {
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
}

func main() {
	verifier, err := note.NewVerifier(os.Args[1])
	check(err)
	text, err := os.ReadFile(filepath.Join(os.Args[2], "checkpoint"))
	check(err)
	opened, err := note.Open(text, note.VerifierList(verifier))
	check(err)
	var origin, root string
	var size int64
	_, err = fmt.Sscanf(opened.Text, "%s\n%d\n%s\n", &origin, &size, &root)
	check(err)
	var hashes []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		found := make([]tlog.Hash, len(indexes))
		for at, index := range indexes {
			found[at] = hashes[index]
		}
		return found, nil
	})
	entries := int64(0)
	for number := int64(0); number*256 < size; number++ {
		name := filepath.Join(os.Args[2], "tile/entries", fmt.Sprintf("%03d", number))
		if size-number*256 < 256 {
			name = fmt.Sprintf("%s.p/%d", name, size-number*256)
		}
		data, err := os.ReadFile(name)
		check(err)
		for len(data) > 0 {
			length := int(binary.BigEndian.Uint16(data))
			stored, err := tlog.StoredHashes(entries, data[2:2+length], reader)
			check(err)
			hashes = append(hashes, stored...)
			data = data[2+length:]
			entries++
		}
	}
	tree, err := tlog.TreeHash(entries, reader)
	check(err)
	if tree.String() != root || entries != size {
		check(fmt.Errorf("root mismatch"))
	}
	proof, err := tlog.ProveRecord(size, 5, reader)
	check(err)
	fmt.Println("verified", origin, size, len(proof))
}
