/* Adaptive binary range coding with contexts, after Martin's range coder (1979) and the binarisation of DeepCABAC (Wiedemann et al. 2019),
 * with probabilities, contexts and coder of our own.
 *
 *   u8 mode: 0 bytes, 1 levels
 *   u8 rates: fast << 4 | slow, each 1..14 (below)
 *   levels only: u8 exponents, the largest one present (0..7); u16 three limits of activity, rising
 *   coded words, u32 each
 *
 * Bits are coded from the most significant, each with an adaptive probability chosen by its context.
 * - A byte: a binary tree over its 8 bits; a node is a context.
 * - A level v: exponent e = 0 for v = 0, else 1 + floor(log2 |v|), at most 7 (-128 counts as -127 here), as a binary tree over as few bits
 *   as the largest exponent needs. So a zero flag and the prefix of an Exp-Golomb code are one tree. Context: node and activity.
 *   Then the sign (1 is negative), context: the sign of the level before. Then the e - 1 lower bits of |v|, context: e and the bits
 *   above it. After -127 one bit more: 1 for -128.
 *   Activity a = 2 |left| + |left of that| + 2 |above| (0 beyond the start, above is 0 in the first row); its context is the number of
 *   limits that a has reached.
 *
 * A probability (of a one) is the mean of two estimates that follow the bits at two rates. Each, in 2^-31, begins at 2^30 and after a bit moves
 * by (b - p) >> s, rounded down, where b is 2^31 - 1 or 0; s = floor(log2(n + 2)) when the context was met n times before, at most the rate. So
 * new contexts learn quickly, old ones are exact, and drift is followed. The mean is their sum >> 16, in 2^-16, its lowest bit set.
 *
 * Interval arithmetic: low (at first 0) and range (at first 2^64 - 1) of 64 bits, range >= 2^32; a bit 1 takes the lower part, (range >> 16) * p
 * with p in 2^-16. A u32 leaves at the top, first word first, when range falls below 2^32. Of the last interval the number whose lower 32
 * bits are zero is written, without those. */
#include <stdlib.h>

#include "bits.h"
#include "coders.h"

enum { MAX_EXPONENT = 7, LIMITS = 3, ACTIVITIES = LIMITS + 1, HEADER_BYTES = 2, LEVELS_HEADER_BYTES = HEADER_BYTES + 1 + 2 * LIMITS, MAX_RATE = 14 };
enum { MAX_ACTIVITY = 5 * 128 };

typedef struct Chance {
  int32_t fast, slow; /* estimates of the probability of a one, in 2^-31 */
  uint16_t one;       /* their mean in 2^-16, odd */
  uint16_t met;       /* how often the context was met, up to where the slower rate is reached */
} Chance;

typedef struct Rates {
  unsigned fast, slow, met_limit;
} Rates;

typedef struct Model {
  Rates rates;
  unsigned tree_bits;
  unsigned limits[LIMITS];
  Chance exponent[ACTIVITIES][8], sign[3], extreme;
  Chance mantissa[8][64]; /* by exponent, and the bits above with the leading one: 1..63 */
  Chance byte[256];
} Model;

static void model_init(Model *m, unsigned fast_rate, unsigned slow_rate) {
  Chance *chances[] = {m->exponent[0], m->sign, &m->extreme, m->mantissa[0], m->byte};
  size_t counts[] = {ACTIVITIES * 8, 3, 1, 8 * 64, 256};
  for (int group = 0; group < 5; group++)
    for (size_t i = 0; i < counts[group]; i++) chances[group][i] = (Chance){1 << 30, 1 << 30, 1 << 15 | 1, 0};
  m->rates = (Rates){fast_rate, slow_rate, 2u << (fast_rate > slow_rate ? fast_rate : slow_rate)};
}

/* bit as a mask: all ones for a one. */
static inline __attribute__((always_inline)) void learn(Rates rates, Chance *c, uint64_t bit) {
  int32_t target = (int32_t)((uint32_t)bit >> 1);
  if (__builtin_expect(c->met < rates.met_limit, 0)) {
    unsigned rate = 31 - (unsigned)__builtin_clz(c->met++ + 2);
    rates.fast = rate < rates.fast ? rate : rates.fast;
    rates.slow = rate < rates.slow ? rate : rates.slow;
  }
  c->fast += (target - c->fast) >> rates.fast;
  c->slow += (target - c->slow) >> rates.slow;
  c->one = (uint16_t)(((uint32_t)c->fast + (uint32_t)c->slow) >> 16 | 1);
}

typedef struct Encoder {
  Model model;
  uint64_t low, range;
  FvBytes *out;
  size_t start; /* carries stop here at the latest */
} Encoder;

static void carry(Encoder *e) {
  if (e->out->failed) return;
  for (size_t at = e->out->size; at > e->start;) { /* words are little-endian: the last word's lowest byte is the one to raise */
    at -= 4;
    uint32_t word = fv_read_u32(e->out->data + at) + 1;
    fv_write_u32(e->out->data + at, word);
    if (word) return;
  }
}

static void put_word(Encoder *e) {
  uint8_t *to = fv_bytes_grow(e->out, 4);
  if (to) fv_write_u32(to, (uint32_t)(e->low >> 32));
  e->low <<= 32;
}

static inline void put_bit(Encoder *e, Chance *c, uint32_t bit) {
  uint64_t one = (e->range >> 16) * c->one;
  if (!bit && __builtin_add_overflow(e->low, one, &e->low)) carry(e);
  e->range = bit ? one : e->range - one;
  if (e->range >> 32 == 0) {
    put_word(e);
    e->range <<= 32;
  }
  learn(e->model.rates, c, 0 - (uint64_t)bit);
}

static void finish(Encoder *e) {
  if (__builtin_add_overflow(e->low, UINT32_MAX, &e->low)) carry(e);
  put_word(e);
}

typedef struct Decoder {
  uint64_t code, range; /* code: how far into the interval */
  const uint8_t *next, *end;
  size_t missing; /* words read beyond the end */
} Decoder;

static inline __attribute__((always_inline)) uint32_t get_word(Decoder *d) {
  if (__builtin_expect(d->end - d->next < 4, 0)) return d->missing++, 0;
  d->next += 4;
  return fv_read_u32(d->next - 4);
}

/* chance is c->one, which the caller reads before it knows c: that load would otherwise wait for the bit before. The choice itself is
 * without a branch, for bits of weights are hard to predict. */
static inline __attribute__((always_inline)) uint32_t get_bit(Decoder *d, Rates rates, Chance *c, uint64_t chance) {
  uint64_t one = (d->range >> 16) * chance, zero = d->range - one, bit = 0 - (uint64_t)(d->code < one);
  __asm__("" : "+r"(bit)); /* or the compiler makes a branch of it again */
  d->code -= one & ~bit;
  d->range = zero ^ ((zero ^ one) & bit);
  if (__builtin_expect(d->range >> 32 == 0, 0)) {
    d->range <<= 32;
    d->code = d->code << 32 | get_word(d);
  }
  learn(rates, c, bit);
  return (uint32_t)bit & 1;
}

/* A symbol of so many bits from the binary tree at chances; node 1 is its root. Returns the leaf: the symbol below a leading one. */
static inline __attribute__((always_inline)) unsigned get_tree(Decoder *d, Rates rates, Chance *chances, unsigned bits) {
  unsigned node = 1;
  uint64_t chance = chances[1].one;
  for (; bits > 1; bits--) {
    uint64_t if_zero = chances[2 * node].one, if_one = chances[2 * node + 1].one;
    uint32_t bit = get_bit(d, rates, &chances[node], chance);
    chance = if_zero ^ ((if_zero ^ if_one) & (0 - (uint64_t)bit));
    node = 2 * node + bit;
  }
  return bits ? 2 * node + get_bit(d, rates, &chances[node], chance) : node;
}

/* Where a level stands, as both sides see it before it is coded. */
typedef struct Place {
  unsigned activity;
  int sign; /* of the level before: 0, 1 positive, 2 negative */
} Place;

static inline unsigned size_of(int level) { return (unsigned)(level < 0 ? -level : level); }

static inline unsigned activity_sum(const int8_t *levels, size_t at, size_t row, unsigned left, unsigned left2) {
  return 2 * left + left2 + 2 * (at >= row ? size_of(levels[at - row]) : 0);
}

static inline unsigned activity_class(const Model *m, unsigned sum) { return (unsigned)(sum >= m->limits[0]) + (sum >= m->limits[1]) + (sum >= m->limits[2]); }

static inline unsigned exponent_of(int level) {
  unsigned size = size_of(level);
  return size > 127 ? 7 : size ? 32 - (unsigned)__builtin_clz(size) : 0;
}

static void put_level(Encoder *e, int level, Place place) {
  Model *m = &e->model;
  unsigned exponent = exponent_of(level), size = size_of(level) > 127 ? 127 : size_of(level), node = 1, bits = 1;
  for (unsigned b = m->tree_bits; b-- > 0;) {
    uint32_t bit = exponent >> b & 1;
    put_bit(e, &m->exponent[place.activity][node], bit);
    node = node << 1 | bit;
  }
  if (!exponent) return;
  put_bit(e, &m->sign[place.sign], level < 0);
  for (unsigned b = exponent - 1; b-- > 0;) {
    uint32_t bit = size >> b & 1;
    put_bit(e, &m->mantissa[exponent][bits], bit);
    bits = bits << 1 | bit;
  }
  if (size == 127 && level < 0) put_bit(e, &m->extreme, level == -128);
}

static inline __attribute__((always_inline)) int get_level(Decoder *d, Rates rates, Model *m, unsigned tree_bits, Place place) {
  unsigned exponent = get_tree(d, rates, m->exponent[place.activity], tree_bits) - (1u << tree_bits);
  if (!exponent) return 0;
  bool negative = get_bit(d, rates, &m->sign[place.sign], m->sign[place.sign].one);
  int size = (int)get_tree(d, rates, m->mantissa[exponent], exponent - 1);
  if (negative && size == 127) size += (int)get_bit(d, rates, &m->extreme, m->extreme.one);
  return negative ? -size : size;
}

static inline int sign_of(int level) { return level > 0 ? 1 : level < 0 ? 2 : 0; }

/* Limits that part the activities into four classes of about the same size. */
static void find_limits(const int8_t *levels, FvCodeShape shape, unsigned *limits) {
  uint32_t counts[MAX_ACTIVITY + 1] = {0};
  unsigned left = 0, left2 = 0;
  for (size_t i = 0; i < shape.count; i++) {
    counts[activity_sum(levels, i, shape.row, left, left2)]++;
    left2 = left, left = size_of(levels[i]);
  }
  size_t sum = 0;
  unsigned limit = 0;
  for (unsigned a = 0; a <= MAX_ACTIVITY && limit < LIMITS; a++) {
    sum += counts[a];
    while (limit < LIMITS && sum * ACTIVITIES >= shape.count * (limit + 1)) limits[limit++] = a + 1;
  }
}

static void encode_levels(Encoder *e, const int8_t *levels, FvCodeShape shape) {
  unsigned left = 0, left2 = 0;
  int sign = 0;
  for (size_t i = 0; i < shape.count; i++) {
    put_level(e, levels[i], (Place){activity_class(&e->model, activity_sum(levels, i, shape.row, left, left2)), sign});
    left2 = left, left = size_of(levels[i]), sign = sign_of(levels[i]);
  }
}

static void encode_bytes(Encoder *e, const uint8_t *data, size_t count) {
  for (size_t i = 0; i < count; i++)
    for (unsigned node = 1, b = 8; b-- > 0; node = node << 1 | (data[i] >> b & 1)) put_bit(e, &e->model.byte[node], data[i] >> b & 1);
}

/* One way to code the stream; the encoder tries several. */
typedef struct Manner {
  uint8_t fast_rate, slow_rate;
  bool contexts; /* without them every activity is below the limits: fewer probabilities to learn */
} Manner;

static void encode_in(Encoder *e, Manner manner, const uint8_t *data, FvCodeShape shape) {
  const int8_t *levels = (const int8_t *)data;
  unsigned exponents = 0;
  for (size_t i = 0; shape.row && i < shape.count; i++) exponents = exponent_of(levels[i]) > exponents ? exponent_of(levels[i]) : exponents;
  model_init(&e->model, manner.fast_rate, manner.slow_rate);
  uint8_t *header = fv_bytes_grow(e->out, shape.row ? LEVELS_HEADER_BYTES : HEADER_BYTES);
  if (!header) return;
  header[0] = shape.row > 0, header[1] = (uint8_t)(manner.fast_rate << 4 | manner.slow_rate);
  e->low = 0, e->range = UINT64_MAX, e->start = e->out->size;
  if (shape.row) {
    for (int i = 0; i < LIMITS; i++) e->model.limits[i] = UINT16_MAX;
    if (manner.contexts) find_limits(levels, shape, e->model.limits);
    for (int i = 0; i < LIMITS; i++) fv_write_u16(header + 3 + 2 * i, e->model.limits[i]);
    header[2] = (uint8_t)exponents;
    e->model.tree_bits = exponents ? 32 - (unsigned)__builtin_clz(exponents) : 0;
    encode_levels(e, levels, shape);
  } else {
    encode_bytes(e, data, shape.count);
  }
  finish(e);
}

int fv_range_encode(const uint8_t *data, FvCodeShape shape, FvBytes *out, FvError *err) {
  static const Manner manners[] = {{7, 11, true}, {4, 7, true}, {7, 11, false}};
  FvBytes best = {0}, trial = {0};
  Encoder *e = malloc(sizeof *e);
  if (!e) out->failed = true;
  for (size_t i = 0; e && i < (shape.row ? 3 : 2) && !trial.failed; i++) {
    trial.size = 0;
    e->out = &trial;
    encode_in(e, manners[i], data, shape);
    if (trial.failed || (i && trial.size >= best.size)) continue;
    FvBytes swap = best;
    best = trial, trial = swap;
  }
  if (trial.failed || best.failed) out->failed = true;
  fv_bytes_append(out, best.data, best.size);
  fv_bytes_finish(&best);
  fv_bytes_finish(&trial);
  free(e);
  return FV_OK;
}

/* These work on a decoder and rates of their own, which can then live in registers. */
static inline __attribute__((always_inline)) Decoder decode_levels(Decoder d, Model *m, unsigned tree_bits, int8_t *levels, FvCodeShape shape) {
  unsigned left = 0, left2 = 0;
  int sign = 0;
  Rates rates = m->rates;
  for (size_t i = 0; i < shape.count; i++) {
    Place place = {activity_class(m, activity_sum(levels, i, shape.row, left, left2)), sign};
    int level = get_level(&d, rates, m, tree_bits, place);
    levels[i] = (int8_t)level;
    left2 = left, left = size_of(level), sign = sign_of(level);
  }
  return d;
}

/* One loop for each height of the tree. */
static Decoder decode_any_levels(Decoder d, Model *m, int8_t *levels, FvCodeShape shape) {
  switch (m->tree_bits) {
  case 0: return decode_levels(d, m, 0, levels, shape);
  case 1: return decode_levels(d, m, 1, levels, shape);
  case 2: return decode_levels(d, m, 2, levels, shape);
  default: return decode_levels(d, m, 3, levels, shape);
  }
}

static Decoder decode_bytes(Decoder d, Model *m, uint8_t *data, size_t count) {
  for (size_t i = 0; i < count; i++) data[i] = (uint8_t)get_tree(&d, m->rates, m->byte, 8);
  return d;
}

int fv_range_decode(const uint8_t *coded, size_t size, FvCodeShape shape, uint8_t *data, FvError *err) {
  Model model;
  size_t header = shape.row ? LEVELS_HEADER_BYTES : HEADER_BYTES;
  if (size < header + 4 || coded[0] != (shape.row > 0) || (size - header) % 4) return fv_error_set(err, FV_ERR_FORMAT, "its header is damaged");
  unsigned fast_rate = coded[1] >> 4, slow_rate = coded[1] & 15;
  if (!fast_rate || !slow_rate || fast_rate > MAX_RATE || slow_rate > MAX_RATE || (shape.row && coded[2] > MAX_EXPONENT))
    return fv_error_set(err, FV_ERR_FORMAT, "its header is damaged");
  model_init(&model, fast_rate, slow_rate);
  if (shape.row) {
    model.tree_bits = coded[2] ? 32 - (unsigned)__builtin_clz(coded[2]) : 0;
    for (int i = 0; i < LIMITS; i++) model.limits[i] = fv_read_u16(coded + 3 + 2 * i);
  }
  Decoder d = {.range = UINT64_MAX, .next = coded + header, .end = coded + size};
  d.code = (uint64_t)get_word(&d) << 32;
  d.code |= get_word(&d);
  d = shape.row ? decode_any_levels(d, &model, (int8_t *)data, shape) : decode_bytes(d, &model, data, shape.count);
  /* The encoder leaves out exactly one word of zeros, and its last number lies within 2^32 of the last interval's beginning. */
  if (d.missing != 1 || d.next != d.end || d.code >> 32) return fv_error_set(err, FV_ERR_FORMAT, "it does not end with its last element; the data is damaged");
  return FV_OK;
}
