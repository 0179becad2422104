// Command go-tlog checks a published log of Writ with Go's golang.org/x/mod/sumdb packages and nothing of Writ's own:
// the checkpoint's signature, every tile against its root, every entry against its leaf hash, the inclusion of every
// entry, and consistency with an earlier checkpoint.
//
//	go-tlog <vkey> <folder of the log> [<earlier checkpoint>]
//
// It prints what it found, and ends with status 0 if the log is accepted, 1 if it is refused, 2 if it was not asked rightly.
package main

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Hashes in a full tile are 2^tileHeight.
const (
	tileHeight = 8
	tileWidth  = 1 << tileHeight
)

// emptyRoot is the root of a tree without entries, which older versions of tlog leave out of account.
var emptyRoot = tlog.Hash(sha256.Sum256(nil))

func main() {
	if len(os.Args) != 3 && len(os.Args) != 4 {
		fmt.Println("usage: go-tlog <vkey> <folder of the log> [<earlier checkpoint>]")
		os.Exit(2)
	}
	earlier := ""
	if len(os.Args) == 4 {
		earlier = os.Args[3]
	}
	size, err := check(os.Args[1], os.Args[2], earlier)
	if err != nil {
		fmt.Printf("refused: %v\n", err)
		os.Exit(1)
	}
	fmt.Printf("accepted: %d entries\n", size)
}

func check(vkey, folder, earlier string) (int64, error) {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return 0, fmt.Errorf("vkey: %w", err)
	}
	tree, err := openCheckpoint(filepath.Join(folder, "checkpoint"), verifier)
	if err != nil {
		return 0, fmt.Errorf("checkpoint: %w", err)
	}
	tiles := tlog.TileHashReader(tree, &tileFolder{folder})
	if err := checkRoot(tree, tiles); err != nil {
		return 0, fmt.Errorf("root: %w", err)
	}
	hashes, err := readAll(tree, tiles)
	if err != nil {
		return 0, fmt.Errorf("tiles: %w", err)
	}
	if err := checkRecords(tree, hashes, folder); err != nil {
		return 0, err
	}
	if earlier == "" {
		return tree.N, nil
	}
	old, err := openCheckpoint(earlier, verifier)
	if err != nil {
		return 0, fmt.Errorf("earlier checkpoint: %w", err)
	}
	if err := checkConsistency(old, tree, hashes); err != nil {
		return 0, fmt.Errorf("consistency: %w", err)
	}
	return tree.N, nil
}

// openCheckpoint verifies a signed checkpoint. Go's own tlog.ParseTree is for the checksum database, whose origin is a
// constant; C2SP's is the name of the log.
func openCheckpoint(file string, verifier note.Verifier) (tlog.Tree, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return tlog.Tree{}, err
	}
	opened, err := note.Open(text, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 || lines[0] != verifier.Name() {
		return tlog.Tree{}, errors.New("not of this log")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || lines[1] != strconv.FormatInt(size, 10) {
		return tlog.Tree{}, errors.New("malformed size")
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return tlog.Tree{}, errors.New("malformed root")
	}
	tree := tlog.Tree{N: size}
	copy(tree.Hash[:], root)
	return tree, nil
}

func checkRoot(tree tlog.Tree, hashes tlog.HashReader) error {
	root := emptyRoot
	if tree.N > 0 {
		var err error
		if root, err = tlog.TreeHash(tree.N, hashes); err != nil {
			return err
		}
	}
	if root != tree.Hash {
		return errors.New("the tiles have another root")
	}
	return nil
}

// readAll reads every hash of the tree once.
func readAll(tree tlog.Tree, tiles tlog.HashReader) (tlog.HashReader, error) {
	if tree.N == 0 {
		return tiles, nil
	}
	indexes := make([]int64, tlog.StoredHashCount(tree.N))
	for i := range indexes {
		indexes[i] = int64(i)
	}
	all, err := tiles.ReadHashes(indexes)
	if err != nil {
		return nil, err
	}
	return tlog.HashReaderFunc(func(wanted []int64) ([]tlog.Hash, error) {
		hashes := make([]tlog.Hash, len(wanted))
		for i, index := range wanted {
			hashes[i] = all[index]
		}
		return hashes, nil
	}), nil
}

func checkRecords(tree tlog.Tree, hashes tlog.HashReader, folder string) error {
	for start := int64(0); start < tree.N; start += tileWidth {
		width := tree.N - start
		if width > tileWidth {
			width = tileWidth
		}
		tile := tlog.Tile{H: tileHeight, L: -1, N: start / tileWidth, W: int(width)}
		entries, err := readEntries(folder, tile)
		if err != nil {
			return fmt.Errorf("entries: %w", err)
		}
		for offset, entry := range entries {
			if err := checkRecord(tree, hashes, start+int64(offset), entry); err != nil {
				return fmt.Errorf("entry %d: %w", start+int64(offset), err)
			}
		}
	}
	return nil
}

// checkRecord compares an entry with its leaf hash, and proves that it is in the tree. The proof is checked against the
// signed root, and does not rely on TileHashReader: that of x/mod 0.7 passes over tiles that it should authenticate where
// two subtrees of the root are in one tile.
func checkRecord(tree tlog.Tree, hashes tlog.HashReader, index int64, entry []byte) error {
	leaf, err := hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, index)})
	if err != nil {
		return err
	}
	if tlog.RecordHash(entry) != leaf[0] {
		return errors.New("not what its leaf hash is of")
	}
	proof, err := tlog.ProveRecord(tree.N, index, hashes)
	if err != nil {
		return err
	}
	return tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(entry))
}

func checkConsistency(old, tree tlog.Tree, hashes tlog.HashReader) error {
	if old.N > tree.N {
		return fmt.Errorf("it had %d entries and now has %d", old.N, tree.N)
	}
	if old.N == 0 && old.Hash == emptyRoot {
		return nil
	}
	proof, err := tlog.ProveTree(tree.N, old.N, hashes)
	if err != nil {
		return err
	}
	return tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash)
}

// tileFolder reads the tiles of a C2SP tlog-tiles folder. What it returns is hearsay: tlog.TileHashReader checks it.
type tileFolder struct{ folder string }

func (t *tileFolder) Height() int { return tileHeight }

func (t *tileFolder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(tiles))
	for i, tile := range tiles {
		bytes, err := os.ReadFile(pathOf(t.folder, tile))
		if err != nil {
			return nil, err
		}
		data[i] = bytes
	}
	return data, nil
}

func (t *tileFolder) SaveTiles(tiles []tlog.Tile, data [][]byte) {}

// pathOf is tile/L/N where Go has tile/8/L/N, and tile/entries/N where it has tile/8/data/N.
func pathOf(folder string, tile tlog.Tile) string {
	path := strings.TrimPrefix(tile.Path(), fmt.Sprintf("tile/%d/", tileHeight))
	if rest := strings.TrimPrefix(path, "data/"); rest != path {
		path = "entries/" + rest
	}
	return filepath.Join(folder, "tile", filepath.FromSlash(path))
}

// readEntries reads an entry bundle: each entry is behind its length as a big-endian uint16.
func readEntries(folder string, tile tlog.Tile) ([][]byte, error) {
	path := pathOf(folder, tile)
	rest, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var entries [][]byte
	for len(rest) > 0 {
		if len(rest) < 2 || len(rest)-2 < int(binary.BigEndian.Uint16(rest)) {
			return nil, fmt.Errorf("%s is cut off", path)
		}
		end := 2 + int(binary.BigEndian.Uint16(rest))
		entries, rest = append(entries, rest[2:end]), rest[end:]
	}
	if len(entries) != tile.W {
		return nil, fmt.Errorf("%s has %d entries, not %d", path, len(entries), tile.W)
	}
	return entries, nil
}
