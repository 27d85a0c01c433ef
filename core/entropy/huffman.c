/* Canonical Huffman coding, lengths limited to 15 bits by package-merge (Larmore and Hirschberg 1990).
 *
 *   u8 rank of the first symbol, u8 rank of the last (fv_symbol_rank)
 *   first == last: nothing more, every element is that symbol
 *   else bits, most significant first: 4 per symbol first..last, its code length or 0 for absent; then the codes; zeros up to a byte.
 * Codes are numbered upwards by (length, rank). The lengths always fill the code space exactly. */
#include <stdlib.h>

#include "bits.h"
#include "coders.h"

enum { MAX_LENGTH = 15, TABLE_BITS = 11, RUN = 7 };

typedef struct Code {
  uint8_t lengths[256]; /* by rank */
  uint16_t codes[256];
  uint8_t sorted[256];             /* symbols (not ranks) by code */
  uint32_t first[MAX_LENGTH + 1];  /* first code of a length */
  uint32_t limit[MAX_LENGTH + 1];  /* end of the codes up to this length, as 16 bits left-aligned; never falls */
  uint32_t offset[MAX_LENGTH + 1]; /* index of that first code in sorted */
} Code;

/* Package-merge. A list per length: the leaves, merged with pairs of the list before. The 2n - 2 cheapest of the last list are taken; each
 * leaf lengthens its symbol's code by one, each pair takes two more from the list before. Leaves come cheapest first, so that a number is
 * enough to know which were taken. */
static void limit_lengths(const uint32_t *counts, uint8_t *lengths) {
  struct Leaf { uint64_t weight; int rank; } leaves[256];
  uint64_t lists[2][512];
  bool is_leaf[MAX_LENGTH][512];
  int n = 0, size = 0;
  for (int rank = 0; rank < 256; rank++) {
    lengths[rank] = 0;
    if (!counts[rank]) continue;
    int at = n++;
    for (; at > 0 && leaves[at - 1].weight > counts[rank]; at--) leaves[at] = leaves[at - 1];
    leaves[at] = (struct Leaf){counts[rank], rank};
  }
  for (int level = 0; level < MAX_LENGTH; level++) {
    const uint64_t *before = lists[~level & 1];
    uint64_t *list = lists[level & 1];
    int pairs = size / 2, leaf = 0, pair = 0;
    for (size = 0; leaf < n || pair < pairs; size++) {
      uint64_t sum = pair < pairs ? before[2 * pair] + before[2 * pair + 1] : UINT64_MAX;
      bool take_leaf = leaf < n && leaves[leaf].weight <= sum;
      is_leaf[level][size] = take_leaf;
      list[size] = take_leaf ? leaves[leaf++].weight : sum;
      pair += !take_leaf;
    }
  }
  for (int level = MAX_LENGTH - 1, taken = 2 * n - 2; level >= 0 && taken > 0; level--) {
    int taken_leaves = 0;
    for (int i = 0; i < taken; i++) taken_leaves += is_leaf[level][i];
    for (int i = 0; i < taken_leaves; i++) lengths[leaves[i].rank]++;
    taken = 2 * (taken - taken_leaves);
  }
}

/* From lengths; false when they do not fill the code space exactly. */
static bool assign_codes(Code *code) {
  uint32_t next = 0, at = 0;
  for (int length = 1; length <= MAX_LENGTH; length++) {
    next <<= 1;
    code->first[length] = next;
    code->offset[length] = at;
    for (int rank = 0; rank < 256; rank++) {
      if (code->lengths[rank] != length) continue;
      code->codes[rank] = (uint16_t)next++;
      code->sorted[at++] = (uint8_t)(rank ^ 0x80);
    }
    if (next > 1u << length) return false;
    code->limit[length] = next << (16 - length);
  }
  return next == 1u << MAX_LENGTH;
}

int fv_huffman_encode(const uint8_t *data, FvCodeShape shape, FvBytes *out, FvError *err) {
  FvAlphabet alphabet;
  Code code;
  FvBitWriter w = {.out = out};
  fv_alphabet_count(&alphabet, data, shape.count);
  fv_bytes_append(out, (uint8_t[2]){(uint8_t)alphabet.first, (uint8_t)alphabet.last}, 2);
  if (alphabet.first == alphabet.last) return FV_OK;
  limit_lengths(alphabet.counts, code.lengths);
  assign_codes(&code);
  for (unsigned rank = alphabet.first; rank <= alphabet.last; rank++) fv_bits_put(&w, code.lengths[rank], 4);
  for (size_t i = 0; i < shape.count; i++) {
    unsigned rank = fv_symbol_rank(data[i]);
    fv_bits_put(&w, code.codes[rank], code.lengths[rank]);
  }
  fv_bits_flush(&w);
  return FV_OK;
}

/* One symbol of any length from 16 bits; the code space is full, so the search always ends. */
static inline uint8_t decode_one(const Code *code, uint32_t peek, int *length) {
  int n = 1;
  while (peek >= code->limit[n]) n++;
  *length = n;
  return code->sorted[code->offset[n] + (peek >> (16 - n)) - code->first[n]];
}

/* Making a table takes about as long as decoding so many elements without it, and more bits pay the later: how many index it, or 0 for none. */
static int table_bits(size_t count) { return count >= 1 << 15 ? TABLE_BITS : count >= 1 << 12 ? TABLE_BITS - 1 : count >= 1 << 10 ? TABLE_BITS - 2 : 0; }

/* What so many bits begin with: up to 7 whole symbols in the lower bytes, in order; above them a byte number of symbols << 4 | their
 * bits. 0 where the first symbol is longer. */
static void build_table(const Code *code, int table_bits, uint64_t *table) {
  uint32_t size = 1u << table_bits;
  uint16_t single[1 << TABLE_BITS]; /* symbol << 4 | length, 0 where longer */
  for (uint32_t i = 0; i < size; i++) {
    int length;
    uint8_t symbol = decode_one(code, i << (16 - table_bits), &length);
    single[i] = length <= table_bits ? (uint16_t)(symbol << 4 | length) : 0;
  }
  for (uint32_t i = 0; i < size; i++) {
    uint64_t entry = 0;
    unsigned bits = 0, symbols = 0;
    while (symbols < RUN) {
      unsigned one = single[i << bits & (size - 1)], length = one & 15;
      if (!length || bits + length > (unsigned)table_bits) break; /* its last bits are beyond what is known here */
      entry |= (uint64_t)(one >> 4) << (8 * symbols++);
      bits += length;
    }
    table[i] = symbols ? entry | (uint64_t)(symbols << 4 | bits) << 56 : 0;
  }
}

/* Whole table entries while input and output have room for them; returns the elements decoded. */
static size_t decode_runs(const Code *code, const uint64_t *table, int table_bits, FvBitReader *r, uint8_t *data, size_t count) {
  enum { LOOKUPS = 5 }; /* of at most 11 bits, out of 56 */
  size_t done = 0;
  while (r->end - r->next >= 16 && count - done >= LOOKUPS * 8) {
    fv_bits_refill_fast(r);
    for (int i = 0; i < LOOKUPS; i++) {
      uint64_t entry = table[r->held >> (64 - table_bits)];
      unsigned info = (unsigned)(entry >> 56);
      if (__builtin_expect(!info, 0)) {
        int length;
        fv_bits_refill_fast(r);
        data[done++] = decode_one(code, (uint32_t)(r->held >> 48), &length);
        fv_bits_drop(r, length);
        break;
      }
      for (int b = 0; b < 8; b++) data[done + (size_t)b] = (uint8_t)(entry >> (8 * b)); /* one store; what is too much is overwritten */
      done += info >> 4;
      fv_bits_drop(r, (int)(info & 15));
    }
  }
  return done;
}

int fv_huffman_decode(const uint8_t *coded, size_t size, FvCodeShape shape, uint8_t *data, FvError *err) {
  Code code = {0};
  uint64_t table[1 << TABLE_BITS];
  int bits = table_bits(shape.count);
  if (size < 2 || coded[0] > coded[1]) return fv_error_set(err, FV_ERR_FORMAT, "it has no alphabet; the data is damaged");
  if (coded[0] == coded[1]) {
    if (size != 2) return fv_error_set(err, FV_ERR_FORMAT, "%zu bytes follow its single symbol; the data is damaged", size - 2);
    memset(data, coded[0] ^ 0x80, shape.count);
    return FV_OK;
  }
  FvBitReader r = {.next = coded + 2, .end = coded + size};
  for (unsigned rank = coded[0]; rank <= coded[1]; rank++) {
    uint32_t length;
    if (!fv_bits_get(&r, 4, &length)) return fv_error_set(err, FV_ERR_FORMAT, "it ends within its code lengths; the data is damaged");
    code.lengths[rank] = (uint8_t)length;
  }
  if (!assign_codes(&code)) return fv_error_set(err, FV_ERR_FORMAT, "its code lengths make no complete code; the data is damaged");
  size_t done = 0;
  if (bits) {
    build_table(&code, bits, table);
    done = decode_runs(&code, table, bits, &r, data, shape.count);
  }
  for (; done < shape.count; done++) {
    int length;
    fv_bits_refill(&r);
    data[done] = decode_one(&code, (uint32_t)(r.held >> 48), &length);
    if (length > r.count) return fv_error_set(err, FV_ERR_FORMAT, "it ends after %zu elements; the data is damaged", done);
    fv_bits_drop(&r, length);
  }
  if (!fv_bits_ended(&r)) return fv_error_set(err, FV_ERR_FORMAT, "data follows its last element; the data is damaged");
  return FV_OK;
}
