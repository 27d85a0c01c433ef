/* LZ78 (Ziv and Lempel 1978) in Welch's form: the dictionary begins with all bytes, so that a code is enough for each phrase.
 *
 * Codes as bits, most significant first, zeros up to a byte at the end. 0..255 are bytes, 256 + k is entry k. After each code an entry is
 * made: the phrase it stood for and the first byte of the next. A code takes as many bits as the largest one possible at that moment. With
 * 65,280 entries the dictionary is emptied instead. */
#include <stdlib.h>

#include "bits.h"
#include "coders.h"

enum { MAX_ENTRIES = 65536 - 256, SLOT_BITS = 17, SLOTS = 1 << SLOT_BITS };

static inline int code_bits(uint32_t entries) { return 32 - __builtin_clz(255 + entries); }

/* The phrases as edges of their tree: parent's code and byte lead to a code. Open addressing, half full at most. */
typedef struct Edge {
  uint32_t key; /* parent << 8 | byte, plus 1; 0 is free */
  uint32_t code;
} Edge;

static Edge *find_edge(Edge *edges, uint32_t parent, uint8_t byte) {
  uint32_t key = (parent << 8 | byte) + 1, at = (key * 2654435761u) >> (32 - SLOT_BITS);
  while (edges[at].key && edges[at].key != key) at = (at + 1) % SLOTS;
  return &edges[at];
}

int fv_lz78_encode(const uint8_t *data, FvCodeShape shape, FvBytes *out, FvError *err) {
  FvBitWriter w = {.out = out};
  uint32_t entries = 0, phrase = data[0];
  Edge *edges = calloc(SLOTS, sizeof *edges);
  if (!edges) return fv_error_set(err, FV_ERR_NO_MEMORY, "no memory for a dictionary");
  for (size_t i = 1; i < shape.count; i++) {
    Edge *edge = find_edge(edges, phrase, data[i]);
    if (edge->key) {
      phrase = edge->code;
      continue;
    }
    fv_bits_put(&w, phrase, code_bits(entries));
    if (entries < MAX_ENTRIES) {
      *edge = (Edge){(phrase << 8 | data[i]) + 1, 256 + entries++};
    } else {
      memset(edges, 0, SLOTS * sizeof *edges);
      entries = 0;
    }
    phrase = data[i];
  }
  fv_bits_put(&w, phrase, code_bits(entries));
  fv_bits_flush(&w);
  free(edges);
  return FV_OK;
}

/* Every phrase stands in the output already: where it was first met. That of the newest entry ends with the byte that is decoded next, which
 * copying forward byte by byte gets right by itself. */
typedef struct Phrase {
  uint32_t at, length;
} Phrase;

int fv_lz78_decode(const uint8_t *coded, size_t size, FvCodeShape shape, uint8_t *data, FvError *err) {
  FvBitReader r = {.next = coded, .end = coded + size};
  Phrase *phrases = malloc(MAX_ENTRIES * sizeof *phrases);
  uint32_t entries = 0, code;
  int rc = phrases ? FV_OK : fv_error_set(err, FV_ERR_NO_MEMORY, "no memory for a dictionary");
  for (size_t at = 0; rc == FV_OK && at < shape.count;) {
    uint32_t length = 1;
    if (!fv_bits_get(&r, code_bits(entries), &code)) {
      rc = fv_error_set(err, FV_ERR_FORMAT, "it ends after %zu elements; the data is damaged", at);
    } else if (code < 256) {
      data[at] = (uint8_t)code;
    } else if (code - 256 >= entries || phrases[code - 256].length > shape.count - at) {
      rc = fv_error_set(err, FV_ERR_FORMAT, "a phrase at element %zu is wrong; the data is damaged", at);
    } else {
      length = phrases[code - 256].length;
      const uint8_t *from = data + phrases[code - 256].at;
      for (uint32_t i = 0; i < length; i++) data[at + i] = from[i];
    }
    if (entries < MAX_ENTRIES)
      phrases[entries++] = (Phrase){(uint32_t)at, length + 1};
    else
      entries = 0;
    at += length;
  }
  fv_bits_refill(&r);
  if (rc == FV_OK && !fv_bits_ended(&r)) rc = fv_error_set(err, FV_ERR_FORMAT, "data follows its last element; the data is damaged");
  free(phrases);
  return rc;
}
