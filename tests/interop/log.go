// Verifies a log's public folder with Go's own packages for it: every entry of every bundle against the tiles, the tree
// against the signed checkpoint, proofs of inclusion and of growth, and a tlog-proof by its text.
//
//	log VKEY PUBLIC-FOLDER [PROOF ENTRY]
package main

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func check(holds bool, what string, args ...interface{}) {
	if !holds {
		must(fmt.Errorf(what, args...))
	}
}

func openCheckpoint(bytes []byte, vkey string) tlog.Tree {
	verifier, err := note.NewVerifier(vkey)
	must(err)
	opened, err := note.Open(bytes, note.VerifierList(verifier))
	must(err)
	lines := strings.Split(opened.Text, "\n")
	check(len(lines) == 4 && lines[0] == verifier.Name(), "not a checkpoint of %s", verifier.Name())
	size, err := strconv.ParseInt(lines[1], 10, 64)
	must(err)
	root, err := base64.StdEncoding.DecodeString(lines[2])
	must(err)
	tree := tlog.Tree{N: size}
	check(copy(tree.Hash[:], root) == 32, "a root of %d bytes", len(root))
	return tree
}

// tiles reads C2SP paths: tile/L/N without the height that Go's own paths have.
type tiles string

func (folder tiles) Height() int { return 8 }

func (folder tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, t := range wanted {
		bytes, err := os.ReadFile(filepath.Join(string(folder), strings.Replace(t.Path(), "tile/8/", "tile/", 1)))
		if err != nil {
			return nil, err
		}
		all = append(all, bytes)
	}
	return all, nil
}

func (folder tiles) SaveTiles([]tlog.Tile, [][]byte) {}

// entries are the lines of the bundles, each with its length in two bytes before it.
func entries(folder string, size int64) [][]byte {
	var all [][]byte
	for n := int64(0); n*256 < size; n++ {
		width := 256
		if size-n*256 < 256 {
			width = int(size - n*256)
		}
		path := strings.Replace(tlog.Tile{H: 8, L: 0, N: n, W: width}.Path(), "tile/8/0/", "tile/entries/", 1)
		bytes, err := os.ReadFile(filepath.Join(folder, path))
		must(err)
		for i := 0; i < width; i++ {
			length := int(binary.BigEndian.Uint16(bytes))
			all = append(all, bytes[2:2+length])
			bytes = bytes[2+length:]
		}
		check(len(bytes) == 0, "%s holds more than its entries", path)
	}
	return all
}

func checkFolder(vkey, folder string) {
	signed, err := os.ReadFile(filepath.Join(folder, "checkpoint"))
	must(err)
	tree := openCheckpoint(signed, vkey)
	reader := tlog.TileHashReader(tree, tiles(folder))
	all := entries(folder, tree.N)
	for seq, entry := range all {
		leaf := tlog.RecordHash(entry)
		hashes, err := reader.ReadHashes([]int64{tlog.StoredHashIndex(0, int64(seq))})
		must(err)
		check(hashes[0] == leaf, "entry %d is not the one in the tree", seq)
		if seq > 600 && seq%997 != 0 && int64(seq) != tree.N-1 {
			continue // the reader takes its tiles from the disk each time
		}
		proof, err := tlog.ProveRecord(tree.N, int64(seq), reader)
		must(err)
		must(tlog.CheckRecord(proof, tree.N, tree.Hash, int64(seq), leaf))
		old, err := tlog.TreeHash(int64(seq)+1, reader)
		must(err)
		growth, err := tlog.ProveTree(tree.N, int64(seq)+1, reader)
		must(err)
		must(tlog.CheckTree(growth, tree.N, tree.Hash, int64(seq)+1, old))
	}
	fmt.Printf("%d entries, their tiles and the checkpoint hold\n", tree.N)
}

func checkProof(vkey, proofFile, entryFile string) {
	text, err := os.ReadFile(proofFile)
	must(err)
	entry, err := os.ReadFile(entryFile)
	must(err)
	parts := strings.SplitN(string(text), "\n\n", 2)
	lines := strings.Split(parts[0], "\n")
	check(len(parts) == 2 && lines[0] == "c2sp.org/tlog-proof@v1", "not a tlog-proof")
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
	must(err)
	var proof tlog.RecordProof
	for _, line := range lines[2:] {
		hash, err := tlog.ParseHash(line)
		must(err)
		proof = append(proof, hash)
	}
	tree := openCheckpoint([]byte(parts[1]), vkey)
	must(tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(entry)))
	fmt.Printf("the proof of entry %d of %d holds\n", index, tree.N)
}

func main() {
	check(len(os.Args) == 3 || len(os.Args) == 5, "usage: log VKEY PUBLIC-FOLDER [PROOF ENTRY]")
	checkFolder(os.Args[1], os.Args[2])
	if len(os.Args) == 5 {
		checkProof(os.Args[1], os.Args[3], os.Args[4])
	}
}
