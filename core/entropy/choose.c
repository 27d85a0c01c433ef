/* Which coder: by estimates where they suffice, by coding where they do not. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bits.h"
#include "coder.h"

enum { PROBE_SLOTS = 1 << 12, PROBE_MATCH = 4, PROBE_BITS = 24 /* what a token costs in LZ77, about */ };

/* Bits by the order-0 entropy: what Huffman and rANS come close to. */
static double entropy_bits(const uint8_t *data, size_t count) {
  FvAlphabet alphabet;
  double bits = 0;
  fv_alphabet_count(&alphabet, data, count);
  for (int r = 0; r < 256; r++)
    if (alphabet.counts[r]) bits += alphabet.counts[r] * log2((double)count / alphabet.counts[r]);
  return bits;
}

/* Bits that repeats would save against the order-0 entropy: a greedy parse that remembers one place for each hash. A search finds more, but hardly anything where this finds next
 * to nothing. */
static double repeat_gain(const uint8_t *data, size_t count, double bits_each) {
  uint32_t last[PROBE_SLOTS];
  double gain = 0;
  memset(last, 0xff, sizeof last);
  for (size_t at = 0; at + PROBE_MATCH <= count;) {
    uint32_t slot = (fv_read_u32(data + at) * 2654435761u) >> 20, from = last[slot];
    size_t length = 0;
    last[slot] = (uint32_t)at;
    while (from != UINT32_MAX && at + length < count && data[from + length] == data[at + length]) length++;
    double saved = bits_each * (double)length - PROBE_BITS;
    bool take = length >= PROBE_MATCH && saved > 0;
    gain += take ? saved : 0;
    at += take ? length : 1;
  }
  return gain;
}

/* The coders whose stream may be the smallest. */
static unsigned promising(const FvCoderLimits *limits, const uint8_t *data, FvCodeShape shape) {
  enum { STATISTICS = 1u << FV_CODER_HUFFMAN | 1u << FV_CODER_RANS, REPEATS = 1u << FV_CODER_LZ77 | 1u << FV_CODER_LZ78 | 1u << FV_CODER_ZSTD };
  const unsigned all = (1u << FV_CODER_COUNT) - 1;
  unsigned allowed = (limits->allowed ? limits->allowed : all) & all & ~(1u << FV_CODER_NONE);
  if ((allowed & (allowed - 1)) == 0) return allowed; /* asked for by name */
  double plain = 8.0 * (double)shape.count, bits = entropy_bits(data, shape.count);
  if (bits > 0.995 * plain) allowed &= ~STATISTICS;
  if (!shape.row && bits > 0.995 * plain) allowed &= ~(1u << FV_CODER_RANGE);
  if (limits->max_decode_ns > 0 && fv_coder_decode_ns(FV_CODER_RANGE, shape.count, (size_t)(bits / 8 * 0.9)) > limits->max_decode_ns) allowed &= ~(1u << FV_CODER_RANGE);
  if (repeat_gain(data, shape.count, bits / (double)shape.count) < 0.005 * bits) allowed &= ~REPEATS;
  return allowed;
}

/* Puts way where its time belongs, unless one that is no slower is no larger; drops those that it makes pointless. */
static void insert_way(FvCoderTrial *trial, FvCoderWay way) {
  int at = 0, end;
  while (at < trial->count && trial->ways[at].ns <= way.ns) at++;
  if (at > 0 && trial->ways[at - 1].coded.size <= way.coded.size) {
    fv_bytes_finish(&way.coded);
    return;
  }
  for (end = at; end < trial->count && trial->ways[end].coded.size >= way.coded.size; end++) fv_bytes_finish(&trial->ways[end].coded);
  memmove(&trial->ways[at + 1], &trial->ways[end], sizeof *trial->ways * (size_t)(trial->count - end));
  trial->count += 1 - (end - at);
  trial->ways[at] = way;
}

int fv_coder_try(const FvCoderLimits *limits, const void *data, FvCodeShape shape, FvCoderTrial *trial, FvError *err) {
  unsigned ids = shape.count ? promising(limits, data, shape) : 0;
  int rc = FV_OK;
  *trial = (FvCoderTrial){0};
  for (int id = 0; id < FV_CODER_COUNT && rc == FV_OK; id++) {
    FvCoderWay way = {.id = (FvCoderId)id};
    if (id != FV_CODER_NONE && !(ids >> id & 1)) continue;
    rc = fv_coder_encode((FvCoderId)id, data, shape, &way.coded, err);
    way.ns = fv_coder_decode_ns((FvCoderId)id, shape.count, way.coded.size);
    if (rc == FV_OK && (id == FV_CODER_NONE || limits->max_decode_ns <= 0 || way.ns <= limits->max_decode_ns)) insert_way(trial, way);
    else fv_bytes_finish(&way.coded);
  }
  if (rc < 0) fv_coder_trial_finish(trial);
  return rc;
}

/* The way after the chosen one that saves most bytes a nanosecond, among those that cost at most `left` more; -1: none. */
static int best_step(const FvCoderTrial *trial, double left, double *rate) {
  const FvCoderWay *now = &trial->ways[trial->chosen];
  int best = -1;
  for (int i = trial->chosen + 1; i < trial->count; i++) {
    double ns = trial->ways[i].ns - now->ns, saved = (double)(now->coded.size - trial->ways[i].coded.size), r = saved / fmax(ns, 1e-3);
    if (ns <= left && (best < 0 || r > *rate)) best = i, *rate = r;
  }
  return best;
}

void fv_coder_pick(const FvCoderLimits *limits, FvCoderTrial *trials, size_t count) {
  double left = limits->max_decode_ns;
  for (size_t i = 0; i < count; i++) {
    trials[i].chosen = limits->max_decode_ns > 0 ? 0 : trials[i].count - 1;
    left -= trials[i].ways[trials[i].chosen].ns;
  }
  while (limits->max_decode_ns > 0) {
    size_t which = count;
    int to = -1;
    double best_rate = 0, rate;
    for (size_t i = 0; i < count; i++) {
      int step = best_step(&trials[i], left, &rate);
      if (step >= 0 && rate > best_rate) which = i, to = step, best_rate = rate;
    }
    if (to < 0) break;
    left -= trials[which].ways[to].ns - trials[which].ways[trials[which].chosen].ns;
    trials[which].chosen = to;
  }
}

void fv_coder_trial_finish(FvCoderTrial *trial) {
  for (int i = 0; i < trial->count; i++) fv_bytes_finish(&trial->ways[i].coded);
  *trial = (FvCoderTrial){0};
}

int fv_coder_choose(const FvCoderLimits *limits, const void *data, FvCodeShape shape, FvBytes *out, FvCoderId *ret_id, FvError *err) {
  FvCoderTrial trial;
  int rc = fv_coder_try(limits, data, shape, &trial, err);
  if (rc < 0) return rc;
  fv_coder_pick(limits, &trial, 1);
  const FvCoderWay *way = &trial.ways[trial.chosen];
  if (!fv_bytes_append(out, way->coded.data, way->coded.size))
    rc = fv_error_set(err, FV_ERR_NO_MEMORY, "no memory for %zu coded bytes", way->coded.size);
  else
    *ret_id = way->id;
  fv_coder_trial_finish(&trial);
  return rc;
}
