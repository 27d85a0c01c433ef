/* LZ77 (Ziv and Lempel 1977) with hash chains: tokens of whole bytes, literals apart, each of the two Huffman-coded where that is smaller.
 *
 *   u8 flags: 1 tokens are Huffman-coded, 2 literals are
 *   u32 bytes of tokens, u32 literals, both before Huffman coding; u32 bytes of the tokens as stored
 *   tokens; literals up to the end of the stream
 * A token is u8 literals << 4 | length - 4, where 15 means that a varint with the rest follows (first for the literals, then for the
 * length), and then, unless the output is full after the literals, a varint distance >= 1, between the two. Varints: 7 bits a byte, lowest
 * first, the top bit says that more follow. A match may overlap what it makes. */
#include <stdlib.h>

#include "bits.h"
#include "coders.h"

enum { HEADER_BYTES = 13, MIN_MATCH = 4, HASH_BITS = 16, CHAIN = 48, GOOD_LENGTH = 64, TOKENS_CODED = 1, LITERALS_CODED = 2 };
#define NOWHERE UINT32_MAX
#define MAX_DISTANCE ((size_t)1 << 20) /* varints of one to three bytes */

typedef struct Matcher {
  const uint8_t *data;
  size_t count;
  uint32_t *heads, *before; /* latest position of a hash; the position before of the same hash */
} Matcher;

typedef struct Match {
  size_t length, distance;
} Match;

static uint32_t hash(const uint8_t *p) { return (fv_read_u32(p) * 2654435761u) >> (32 - HASH_BITS); }

static void insert(Matcher *m, size_t at) {
  if (m->count - at < MIN_MATCH) return;
  uint32_t *head = &m->heads[hash(m->data + at)];
  m->before[at] = *head;
  *head = (uint32_t)at;
}

static Match find(const Matcher *m, size_t at) {
  Match best = {0};
  if (m->count - at < MIN_MATCH) return best;
  uint32_t from = m->heads[hash(m->data + at)];
  for (int tries = CHAIN; tries > 0 && from != NOWHERE && at - from <= MAX_DISTANCE; tries--, from = m->before[from]) {
    size_t length = 0;
    if (best.length && (at + best.length >= m->count || m->data[from + best.length] != m->data[at + best.length])) continue;
    while (at + length < m->count && m->data[from + length] == m->data[at + length]) length++;
    size_t far = at - from, cost = far < 128 ? 0 : far < 16384 ? 1 : 2;
    if (length >= MIN_MATCH + cost && length > best.length) best = (Match){length, far};
    if (length >= GOOD_LENGTH) break;
  }
  return best;
}

static void put_varint(FvBytes *out, size_t value) {
  for (; value >= 128; value >>= 7) fv_bytes_append(out, &(uint8_t){(uint8_t)(value | 128)}, 1);
  fv_bytes_append(out, &(uint8_t){(uint8_t)value}, 1);
}

static void put_token(FvBytes *tokens, size_t literals, Match match) {
  size_t length = match.length ? match.length - MIN_MATCH : 0;
  uint8_t token = (uint8_t)((literals < 15 ? literals : 15) << 4 | (length < 15 ? length : 15));
  fv_bytes_append(tokens, &token, 1);
  if (literals >= 15) put_varint(tokens, literals - 15);
  if (!match.length) return;
  put_varint(tokens, match.distance);
  if (length >= 15) put_varint(tokens, length - 15);
}

/* A match is put off by one element where the next one's is longer. */
static void tokenise(Matcher *m, FvBytes *tokens, FvBytes *literals) {
  size_t pending = 0;
  Match match = find(m, 0);
  for (size_t at = 0; at < m->count;) {
    insert(m, at);
    Match next = at + 1 < m->count && match.length < GOOD_LENGTH ? find(m, at + 1) : (Match){0};
    if (!match.length || next.length > match.length + 1) {
      fv_bytes_append(literals, m->data + at++, 1);
      pending++;
      match = next;
      continue;
    }
    put_token(tokens, pending, match);
    pending = 0;
    for (size_t end = at + match.length; ++at < end;) insert(m, at);
    if (at < m->count) match = find(m, at);
  }
  if (pending) put_token(tokens, pending, (Match){0});
}

/* Appends part, Huffman-coded where that pays. */
static bool put_part(const FvBytes *part, FvBytes *out) {
  size_t start = out->size;
  FvBytes coded = {0};
  bool pays = part->size && fv_huffman_encode(part->data, (FvCodeShape){part->size, 0}, &coded, NULL) == FV_OK && coded.size < part->size;
  const FvBytes *stored = pays ? &coded : part;
  if (part->failed || coded.failed) out->failed = true;
  if (stored->size) fv_bytes_append(out, stored->data, stored->size);
  fv_bytes_finish(&coded);
  return pays && out->size > start;
}

int fv_lz77_encode(const uint8_t *data, FvCodeShape shape, FvBytes *out, FvError *err) {
  size_t start = out->size;
  FvBytes tokens = {0}, literals = {0};
  Matcher m = {data, shape.count, malloc(sizeof(uint32_t) << HASH_BITS), malloc(shape.count * sizeof(uint32_t))};
  if (m.heads && m.before && fv_bytes_grow(out, HEADER_BYTES)) {
    memset(m.heads, 0xff, sizeof(uint32_t) << HASH_BITS);
    tokenise(&m, &tokens, &literals);
    bool tokens_coded = put_part(&tokens, out);
    size_t stored = out->size - start - HEADER_BYTES;
    bool literals_coded = put_part(&literals, out);
    uint8_t *header = out->data + start;
    header[0] = (uint8_t)((tokens_coded ? TOKENS_CODED : 0) | (literals_coded ? LITERALS_CODED : 0));
    fv_write_u32(header + 1, (uint32_t)tokens.size);
    fv_write_u32(header + 5, (uint32_t)literals.size);
    fv_write_u32(header + 9, (uint32_t)stored);
  } else {
    out->failed = true;
  }
  free(m.heads);
  free(m.before);
  fv_bytes_finish(&tokens);
  fv_bytes_finish(&literals);
  return FV_OK;
}

typedef struct Part {
  const uint8_t *next, *end;
  uint8_t *owned;
} Part;

static int open_part(Part *part, const uint8_t *stored, size_t size, size_t count, bool coded, FvError *err) {
  *part = (Part){stored, stored + size, NULL};
  if (!coded) return size == count ? FV_OK : fv_error_set(err, FV_ERR_FORMAT, "its parts do not fill it; the data is damaged");
  if (!count) return fv_error_set(err, FV_ERR_FORMAT, "an empty part is coded; the data is damaged");
  part->owned = malloc(count);
  if (!part->owned) return fv_error_set(err, FV_ERR_NO_MEMORY, "no memory for %zu bytes", count);
  part->next = part->owned, part->end = part->owned + count;
  return fv_huffman_decode(stored, size, (FvCodeShape){count, 0}, part->owned, err);
}

static bool get_varint(Part *part, size_t *value) {
  *value = 0;
  for (int shift = 0; shift < 35 && part->next < part->end; shift += 7) {
    uint8_t byte = *part->next++;
    *value |= (size_t)(byte & 127) << shift;
    if (byte < 128) return true;
  }
  return false;
}

/* One token at data[*at]; moves *at. */
static bool apply_token(Part *tokens, Part *literals, uint8_t *data, size_t *at, size_t count) {
  if (tokens->next == tokens->end) return false;
  uint8_t token = *tokens->next++;
  size_t run = token >> 4, length = token & 15, distance, more;
  if (run == 15 && !get_varint(tokens, &more)) return false;
  run += run == 15 ? more : 0;
  if (run > count - *at || run > (size_t)(literals->end - literals->next)) return false;
  memcpy(data + *at, literals->next, run);
  literals->next += run, *at += run;
  if (*at == count) return run > 0 && length == 0;
  if (!get_varint(tokens, &distance) || (length == 15 && !get_varint(tokens, &more))) return false;
  length += MIN_MATCH + (length == 15 ? more : 0);
  if (!distance || distance > *at || length > count - *at) return false;
  uint8_t *to = data + *at;
  const uint8_t *from = to - distance;
  *at += length;
  if (distance >= length)
    memcpy(to, from, length);
  else
    while (length--) *to++ = *from++;
  return true;
}

int fv_lz77_decode(const uint8_t *coded, size_t size, FvCodeShape shape, uint8_t *data, FvError *err) {
  Part tokens = {0}, literals = {0};
  if (size < HEADER_BYTES || coded[0] > (TOKENS_CODED | LITERALS_CODED)) return fv_error_set(err, FV_ERR_FORMAT, "its header is damaged");
  size_t token_bytes = fv_read_u32(coded + 1), literal_count = fv_read_u32(coded + 5), stored = fv_read_u32(coded + 9);
  /* A token of at most 16 bytes makes 4 elements or more, and the encoder takes no match that costs more than it saves. */
  if (token_bytes > 2 * shape.count + 16 || literal_count > shape.count || stored > size - HEADER_BYTES)
    return fv_error_set(err, FV_ERR_FORMAT, "its header is damaged");
  coded += HEADER_BYTES, size -= HEADER_BYTES;
  int rc = open_part(&tokens, coded, stored, token_bytes, *(coded - HEADER_BYTES) & TOKENS_CODED, err);
  if (rc == FV_OK) rc = open_part(&literals, coded + stored, size - stored, literal_count, *(coded - HEADER_BYTES) & LITERALS_CODED, err);
  for (size_t at = 0; rc == FV_OK && at < shape.count;)
    if (!apply_token(&tokens, &literals, data, &at, shape.count))
      rc = fv_error_set(err, FV_ERR_FORMAT, "a token before element %zu is wrong; the data is damaged", at);
  if (rc == FV_OK && (tokens.next != tokens.end || literals.next != literals.end))
    rc = fv_error_set(err, FV_ERR_FORMAT, "data follows its last element; the data is damaged");
  free(tokens.owned);
  free(literals.owned);
  return rc;
}
