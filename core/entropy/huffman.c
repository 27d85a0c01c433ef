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
  uint32_t next = 0, at = 0, counts[MAX_LENGTH + 1] = {0}, taken[MAX_LENGTH + 1] = {0};
  for (int rank = 0; rank < 256; rank++) counts[code->lengths[rank]]++;
  for (int length = 1; length <= MAX_LENGTH; length++) {
    next <<= 1;
    code->first[length] = next;
    code->offset[length] = at;
    next += counts[length];
    at += counts[length];
    if (next > 1u << length) return false;
    code->limit[length] = next << (16 - length);
  }
  for (int rank = 0; rank < 256; rank++) {
    int length = code->lengths[rank];
    if (!length) continue;
    code->codes[rank] = (uint16_t)(code->first[length] + taken[length]);
    code->sorted[code->offset[length] + taken[length]++] = (uint8_t)(rank ^ 0x80);
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

/* Codes of one element on average are longer than so many 1/16 bits: a look-up then finds one symbol, seldom two. */
enum { LONG_CODES = 32 };

/* Making a table takes about as long as decoding so many elements without it, and more bits pay the later: how many index it, or 0 for none. */
static int table_bits(size_t count) { return count >= 1 << 15 ? TABLE_BITS : count >= 1 << 12 ? TABLE_BITS - 1 : count >= 1 << 10 ? TABLE_BITS - 2 : 0; }

/* What so many bits begin with: symbol << 4 | length, 0 where the symbol is longer. */
static void build_singles(const Code *code, int table_bits, uint16_t *single) {
  uint32_t end = 0;
  for (int length = 1; length <= table_bits; length++) {
    uint32_t codes = (code->limit[length] >> (16 - length)) - code->first[length], step = 1u << (table_bits - length);
    for (uint32_t i = 0; i < codes; i++)
      for (uint32_t stop = end + step, entry = (uint32_t)code->sorted[code->offset[length] + i] << 4 | (uint32_t)length; end < stop; end++) single[end] = (uint16_t)entry;
  }
  memset(single + end, 0, ((1u << table_bits) - end) * sizeof *single);
}

/* The same of as many whole symbols as there are, 7 at most, in the lower bytes, in order; above them a byte number of symbols << 4 | their bits. */
static void build_table(const Code *code, int table_bits, uint64_t *table) {
  uint32_t size = 1u << table_bits;
  uint16_t single[1 << TABLE_BITS];
  build_singles(code, table_bits, single);
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

/* A stream being decoded. */
typedef struct Stream {
  Code code;
  FvBitReader r;
  uint8_t *data;
  size_t count, done;
  bool single; /* one symbol throughout: done as it was opened */
} Stream;

static int open_stream(Stream *s, const uint8_t *coded, size_t size, size_t count, uint8_t *data, FvError *err) {
  *s = (Stream){.data = data, .count = count};
  if (size < 2 || coded[0] > coded[1]) return fv_error_set(err, FV_ERR_FORMAT, "it has no alphabet; the data is damaged");
  if (coded[0] == coded[1]) {
    if (size != 2) return fv_error_set(err, FV_ERR_FORMAT, "%zu bytes follow its single symbol; the data is damaged", size - 2);
    memset(data, coded[0] ^ 0x80, count);
    return s->single = true, FV_OK;
  }
  s->r = (FvBitReader){.next = coded + 2, .end = coded + size};
  for (unsigned rank = coded[0]; rank <= coded[1]; rank++) {
    uint32_t length;
    if (!fv_bits_get(&s->r, 4, &length)) return fv_error_set(err, FV_ERR_FORMAT, "it ends within its code lengths; the data is damaged");
    s->code.lengths[rank] = (uint8_t)length;
  }
  return assign_codes(&s->code) ? FV_OK : fv_error_set(err, FV_ERR_FORMAT, "its code lengths make no complete code; the data is damaged");
}

/* What is left, one element after the other, and the end. */
static int finish_stream(Stream *s, FvError *err) {
  for (; s->done < s->count; s->done++) {
    int length;
    fv_bits_refill(&s->r);
    s->data[s->done] = decode_one(&s->code, (uint32_t)(s->r.held >> 48), &length);
    if (length > s->r.count) return fv_error_set(err, FV_ERR_FORMAT, "it ends after %zu elements; the data is damaged", s->done);
    fv_bits_drop(&s->r, length);
  }
  return fv_bits_ended(&s->r) ? FV_OK : fv_error_set(err, FV_ERR_FORMAT, "data follows its last element; the data is damaged");
}

int fv_huffman_decode(const uint8_t *coded, size_t size, FvCodeShape shape, uint8_t *data, FvError *err) {
  Stream s;
  uint64_t table[1 << TABLE_BITS];
  int bits = table_bits(shape.count), result = open_stream(&s, coded, size, shape.count, data, err);
  if (result < 0 || s.single) return result;
  if (bits) {
    build_table(&s.code, bits, table);
    s.done = decode_runs(&s.code, table, bits, &s.r, data, shape.count);
  }
  return finish_stream(&s, err);
}

/* --- Several streams side by side: a look-up has to wait for the one before in its stream, but not for those of other streams --- */

enum { LANES = 4, ROUND = 5 /* look-ups of at most 11 bits, out of 56 */, ROUND_BYTES = 32 /* read in one: 5 codes of 15 bits, 63 bits held, 8 bytes looked at */ };

typedef struct Lanes {
  uint16_t tables[LANES][1 << TABLE_BITS];
  Stream streams[LANES];
  FvDecoding *jobs[LANES];
} Lanes;

bool fv_huffman_is_long(size_t size, size_t count) { return count >= 256 && size * 128 / count > LONG_CODES; }

/* A reader that goes in and out by value stays in registers elsewhere. */
static __attribute__((noinline)) FvBitReader decode_long(const Code *code, FvBitReader r, uint8_t *symbol) {
  int length;
  fv_bits_refill_fast(&r);
  *symbol = decode_one(code, (uint32_t)(r.held >> 48), &length);
  fv_bits_drop(&r, length);
  fv_bits_refill_fast(&r); /* for the rest of the round */
  return r;
}

static bool has_round(const Stream *s) { return s->r.end - s->r.next >= ROUND_BYTES && s->count - s->done >= ROUND; }

/* Until one of the first `lanes` has no whole round left. */
static inline __attribute__((always_inline)) void decode_rounds(Lanes *l, const int lanes) {
  FvBitReader r[LANES];
  uint8_t *to[LANES];
  bool more = true;
  for (int i = 0; i < lanes; i++) {
    r[i] = l->streams[i].r;
    to[i] = l->streams[i].data + l->streams[i].done;
    more &= has_round(&l->streams[i]);
  }
  while (more) {
#pragma GCC unroll 4
    for (int i = 0; i < lanes; i++) fv_bits_refill_fast(&r[i]);
#pragma GCC unroll 5
    for (int k = 0; k < ROUND; k++)
#pragma GCC unroll 4
      for (int i = 0; i < lanes; i++) {
        unsigned entry = l->tables[i][r[i].held >> (64 - TABLE_BITS)];
        if (__builtin_expect(!entry, 0)) {
          r[i] = decode_long(&l->streams[i].code, r[i], &to[i][k]);
          continue;
        }
        to[i][k] = (uint8_t)(entry >> 4);
        fv_bits_drop(&r[i], (int)(entry & 15));
      }
#pragma GCC unroll 4
    for (int i = 0; i < lanes; i++) {
      to[i] += ROUND;
      more &= r[i].end - r[i].next >= ROUND_BYTES && l->streams[i].data + l->streams[i].count - to[i] >= ROUND;
    }
  }
  for (int i = 0; i < lanes; i++) {
    l->streams[i].r = r[i];
    l->streams[i].done = (size_t)(to[i] - l->streams[i].data);
  }
}

/* Puts the next stream into a lane; false when there is none. Those that fail or are done at once are passed over. */
static bool fill_lane(Lanes *l, int lane, FvDecoding **next, FvDecoding *end) {
  for (; *next < end; ++*next) {
    FvDecoding *job = *next;
    Stream *s = &l->streams[lane];
    job->result = open_stream(s, job->coded, job->size, job->shape.count, job->data, NULL);
    if (job->result < 0 || s->single) continue;
    build_singles(&s->code, TABLE_BITS, l->tables[lane]);
    l->jobs[lane] = job;
    ++*next;
    return true;
  }
  return false;
}

static void move_lane(Lanes *l, int to, int from) {
  if (to == from) return;
  l->streams[to] = l->streams[from];
  l->jobs[to] = l->jobs[from];
  memcpy(l->tables[to], l->tables[from], sizeof l->tables[to]);
}

void fv_huffman_decode_several(FvDecoding *jobs, size_t count) {
  Lanes l;
  FvDecoding *next = jobs, *end = jobs + count;
  int lanes = 0;
  while (lanes < LANES && fill_lane(&l, lanes, &next, end)) lanes++;
  while (lanes > 0) {
    switch (lanes) {
      case 4: decode_rounds(&l, 4); break;
      case 3: decode_rounds(&l, 3); break;
      case 2: decode_rounds(&l, 2); break;
      default: decode_rounds(&l, 1);
    }
    for (int i = lanes - 1; i >= 0; i--) {
      if (has_round(&l.streams[i])) continue;
      l.jobs[i]->result = finish_stream(&l.streams[i], NULL);
      if (!fill_lane(&l, i, &next, end)) move_lane(&l, i, --lanes);
    }
  }
}
