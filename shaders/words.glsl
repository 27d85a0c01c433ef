/* Memory as 32-bit words, for elements that are not floats. Positions count words, of pairs and fours too, which lie at multiples of two and four.
 * Texel buffers show them as integers: a float view may change what it does not take for a number. Shaders that read what they write in one dispatch define
 * WORDS_STORAGE first. */
#ifndef WORDS_GLSL
#define WORDS_GLSL

layout(set = 0, binding = 0) buffer ArenaWords { uint arena_words[]; };
layout(set = 0, binding = 0) buffer ArenaPairs { uvec2 arena_pairs[]; };
layout(set = 0, binding = 1) readonly buffer WeightWords { uint weight_words[]; };
layout(set = 0, binding = 1) readonly buffer WeightFours { uvec4 weight_fours[]; };

#if defined FV_TEXEL && !defined WORDS_STORAGE
layout(set = 0, binding = 10, r32ui) uniform readonly uimageBuffer arena_words1;
layout(set = 0, binding = 11, rg32ui) uniform readonly uimageBuffer arena_words2;
layout(set = 0, binding = 12, r32ui) uniform readonly uimageBuffer weights_words1;
layout(set = 0, binding = 13, rgba32ui) uniform readonly uimageBuffer weights_words4;
uint arena_word(int at) { return imageLoad(arena_words1, at).x; }
uvec2 arena_pair(int at) { return imageLoad(arena_words2, at >> 1).xy; }
uint weight_word(int at) { return imageLoad(weights_words1, at).x; }
uvec4 weight_four(int at) { return imageLoad(weights_words4, at >> 2); }
void store_word(int at, uint word) { arena_words[at] = word; }
void store_pair(int at, uvec2 pair) { arena_long[at >> 1] = packUint2x32(pair); }
#else
uint arena_word(int at) { return arena_words[at]; }
uvec2 arena_pair(int at) { return arena_pairs[at >> 1]; }
uint weight_word(int at) { return weight_words[at]; }
uvec4 weight_four(int at) { return weight_fours[at >> 2]; }
void store_word(int at, uint word) { arena_words[at] = word; }
void store_pair(int at, uvec2 pair) { arena_pairs[at >> 1] = pair; }
#endif

/* The bits of a word that the mask names; others may write the rest of it at the same time. */
void store_masked(int at, uint mask, uint bits) {
  atomicAnd(arena_words[at], ~mask);
  atomicOr(arena_words[at], bits & mask);
}
/* Bytes by byte positions. */
uint arena_byte(int at) { return bitfieldExtract(arena_word(at >> 2), (at & 3) * 8, 8); }
uint weight_byte(int at) { return bitfieldExtract(weight_word(at >> 2), (at & 3) * 8, 8); }
void store_byte(int at, uint value) { store_masked(at >> 2, 0xffu << ((at & 3) * 8), value << ((at & 3) * 8)); }

#endif
