/* Tensors in their forms, and the blocks that hold them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <glib.h>

#include "base/half.h"
#include "container/storage.h"
#include "container/weights.h"
#include "ir/graph.h"
#include "ir/log_grid.h"

/* --- forms --- */

static FvTensor row_of(FvDtype dtype, void *data, int64_t count) {
  FvTensor tensor = {.dtype = dtype, .rank = 1, .dims = {count}, .data = data};
  fv_tensor_set_contiguous(&tensor);
  return tensor;
}

/* Packs, checks what form came out, unpacks: the same bytes. */
static void expect_form(FvTensor tensor, FvTensorStorage form, unsigned width) {
  FvPacked packed;
  size_t bytes = (size_t)fv_tensor_count(&tensor) * fv_dtype_size(tensor.dtype);
  g_autofree void *back = g_malloc(bytes);
  FvTensor again = tensor;
  again.data = back;
  fv_storage_pack(&tensor, false, &packed);
  g_assert_nonnull(packed.elements);
  g_assert_cmpstr(fv_storage_name(packed.storage.form), ==, fv_storage_name(form));
  g_assert_cmpint(packed.kind.width, ==, width);
  g_assert_true(fv_storage_fits(&packed.storage, tensor.dtype, width));
  g_assert_true(fv_storage_unpack(&packed.storage, packed.elements, width, &again));
  g_assert_cmpmem(back, bytes, tensor.data, bytes);
  free(packed.elements);
}

static void test_floats(void) {
  float grid[40], wide[3] = {fv_log_grid_value(FV_LOG_GRID_MIN), 1, fv_log_grid_value(FV_LOG_GRID_MAX)}, off[3] = {1, 1.5f, -1};
  float halves[] = {-0.0f, 0, INFINITY, -INFINITY, 0x1p-24f, -65504, 1.0009765625f}, any[] = {1.1f, NAN, 1e-40f, 3};
  for (int i = 0; i < 40; i++) grid[i] = fv_log_grid_value(-200 + 6 * i);
  expect_form(row_of(FV_DTYPE_F32, grid, 40), FV_STORAGE_GRID, 1);
  expect_form(row_of(FV_DTYPE_F32, wide, 3), FV_STORAGE_GRID, 2);
  expect_form(row_of(FV_DTYPE_F32, off, 3), FV_STORAGE_HALF, 2);
  expect_form(row_of(FV_DTYPE_F32, halves, G_N_ELEMENTS(halves)), FV_STORAGE_HALF, 2);
  expect_form(row_of(FV_DTYPE_F32, any, G_N_ELEMENTS(any)), FV_STORAGE_PLAIN, 4);
}

static void test_codebooks(void) {
  static const float book[] = {-0.3f, -0.1f, -0.0f, 0.0f, 0.07f, 1e9f};
  float values[600], levels[4096];
  for (int i = 0; i < 600; i++) values[i] = book[i % 6];
  for (int i = 0; i < 4096; i++) levels[i] = (float)(i % 256 - 100) * 0.5f;
  FvTensor tensor = row_of(FV_DTYPE_F32, values, 600);
  expect_form(tensor, FV_STORAGE_CODEBOOK, 1);
  expect_form(row_of(FV_DTYPE_F32, levels, 4096), FV_STORAGE_CODEBOOK, 1);
  levels[17] = 0.123f;
  expect_form(row_of(FV_DTYPE_F32, levels, 4096), FV_STORAGE_PLAIN, 4);
  tensor.rank = 2, tensor.dims[0] = 20, tensor.dims[1] = 30;
  fv_tensor_set_contiguous(&tensor);
  FvPacked packed;
  fv_storage_pack(&tensor, false, &packed);
  g_assert_cmpint(packed.kind.row, ==, 30);
  for (int i = 0; i < 600; i++) g_assert_cmpint(((gint8 *)packed.elements)[i], ==, i % 6 - (int)packed.storage.zero); /* counted from the entry that is nearest to zero */
  free(packed.elements);
}

static void test_integers(void) {
  gint64 small[] = {0, -1, 127, -128}, medium[] = {-129, 32767, -32768, 32768}, large[] = {INT32_MAX, INT32_MIN}, huge[] = {INT64_MAX, INT64_MIN, 0};
  gint32 words[] = {40000, -3}, shorts[] = {32767, -32768};
  gint16 narrow[] = {-5, 100}, all[] = {-5, 30000};
  gint8 levels[] = {-128, 127, 0};
  guint8 flags[] = {1, 0, 1};
  double wide[] = {1, 2.5};
  expect_form(row_of(FV_DTYPE_I64, small, 4), FV_STORAGE_NARROW, 1);
  expect_form(row_of(FV_DTYPE_I64, medium, 3), FV_STORAGE_NARROW, 2);
  expect_form(row_of(FV_DTYPE_I64, medium, 4), FV_STORAGE_NARROW, 4);
  expect_form(row_of(FV_DTYPE_I64, large, 2), FV_STORAGE_NARROW, 4);
  expect_form(row_of(FV_DTYPE_I64, huge, 3), FV_STORAGE_PLAIN, 8);
  expect_form(row_of(FV_DTYPE_I32, words, 2), FV_STORAGE_PLAIN, 4);
  expect_form(row_of(FV_DTYPE_I32, shorts, 2), FV_STORAGE_NARROW, 2);
  expect_form(row_of(FV_DTYPE_I16, narrow, 2), FV_STORAGE_NARROW, 1);
  expect_form(row_of(FV_DTYPE_I16, all, 2), FV_STORAGE_PLAIN, 2);
  expect_form(row_of(FV_DTYPE_I8, levels, 3), FV_STORAGE_PLAIN, 1);
  expect_form(row_of(FV_DTYPE_BOOL, flags, 3), FV_STORAGE_PLAIN, 1);
  expect_form(row_of(FV_DTYPE_F64, wide, 2), FV_STORAGE_PLAIN, 8);
}

static void test_without_meaning(void) {
  float values[4];
  const float book[FV_CODEBOOK_MAX] = {1, 2};
  FvTensor tensor = row_of(FV_DTYPE_F32, values, 4);
  FvStorage grid = {.form = FV_STORAGE_GRID, .base = FV_LOG_GRID_MAX - 2}, list = {.form = FV_STORAGE_CODEBOOK, .entries = 2, .zero = 1, .codebook = book};
  g_assert_true(fv_storage_unpack(&grid, (const guint8[]){0, 1, 2, 0}, 1, &tensor));
  g_assert_false(fv_storage_unpack(&grid, (const guint8[]){0, 1, 2, 3}, 1, &tensor));
  g_assert_true(fv_storage_unpack(&list, (const guint8[]){0, 255, 0, 0}, 1, &tensor));
  g_assert_cmpfloat(values[1], ==, 1);
  g_assert_false(fv_storage_unpack(&list, (const guint8[]){0, 1, 0, 0}, 1, &tensor));
  g_assert_false(fv_storage_fits(&grid, FV_DTYPE_F32, 4));
  g_assert_false(fv_storage_fits(&grid, FV_DTYPE_I8, 1));
  g_assert_false(fv_storage_fits(&(FvStorage){.form = FV_STORAGE_GRID, .base = FV_LOG_GRID_MAX + 1}, FV_DTYPE_F32, 1));
  g_assert_false(fv_storage_fits(&(FvStorage){.form = FV_STORAGE_NARROW}, FV_DTYPE_I32, 4));
  g_assert_false(fv_storage_fits(&(FvStorage){.form = FV_STORAGE_HALF}, FV_DTYPE_F16, 2));
  g_assert_false(fv_storage_fits(&(FvStorage){.form = FV_STORAGE_FORMS}, FV_DTYPE_F32, 4));
}

/* --- blocks --- */

enum { TENSORS = 24 };

/* A section with blocks of all widths, some shared, and the tensors that were put in. */
typedef struct Section {
  FvTensor tensors[TENSORS];
  FvBlockPlace places[TENSORS];
  FvBytes directory, bytes;
} Section;

static const FvDtype dtypes[] = {FV_DTYPE_I8, FV_DTYPE_I16, FV_DTYPE_F32, FV_DTYPE_I64};

static void make_section(Section *section, unsigned coders, double max_ns) {
  FvBlockWriter writer = {0};
  FvCoderLimits limits = {coders, max_ns};
  GRand *random = g_rand_new_with_seed(7);
  FvError err;
  *section = (Section){0};
  for (int i = 0; i < TENSORS; i++) {
    FvDtype dtype = dtypes[i % G_N_ELEMENTS(dtypes)];
    unsigned width = (unsigned)fv_dtype_size(dtype);
    int64_t count = i < 12 ? 1 + 7 * i : 90 * i;
    guint8 *data = g_malloc((gsize)count * width);
    for (int64_t k = 0; k < count * width; k++) data[k] = (guint8)(g_rand_int_range(random, -3, 4) * g_rand_int_range(random, 0, 3));
    section->tensors[i] = row_of(dtype, data, count);
    section->places[i] = fv_blocks_add(&writer, (FvBlockKind){width, width > 1 && i % 3 > 0, width == 1 && i % 8 == 0 ? 1 : 0}, (int)dtype, data, (uint64_t)count);
  }
  if (fv_blocks_code(&writer, &limits, &section->directory, &section->bytes, &err) < 0) g_error("%s", err.message);
  fv_block_writer_finish(&writer);
  g_rand_free(random);
}

static void finish_section(Section *section) {
  for (int i = 0; i < TENSORS; i++) g_free(section->tensors[i].data);
  fv_bytes_finish(&section->directory);
  fv_bytes_finish(&section->bytes);
}

/* All tensors again, from these bytes. Returns 0 when they could be read; what came out is then in read, whose memory is the arena's or the section's. */
static int read_section(const Section *section, FvWeightBytes bytes, size_t directory, FvArena *arena, FvTensor *read, FvError *err) {
  FvByteReader reader = {section->directory.data, section->directory.data + directory, false};
  FvWeightLoad load;
  FvStorage plain = {.form = FV_STORAGE_PLAIN};
  int result = fv_weights_open(&load, bytes, &reader, err);
  for (int i = 0; result == 0 && i < TENSORS; i++) {
    read[i] = section->tensors[i];
    int block = section->places[i].block;
    if (block >= load.block_count || load.blocks[block].kind.width != fv_dtype_size(read[i].dtype)) result = FV_ERR_FORMAT;
    if (result == 0) result = fv_weights_take(&load, arena, &read[i], &plain, block);
  }
  if (result == 0) result = fv_weights_decode(&load, err);
  fv_weights_finish(&load);
  return result;
}

static void compare(const Section *section, const FvTensor *read) {
  for (int i = 0; i < TENSORS; i++) {
    size_t bytes = (size_t)fv_tensor_count(&read[i]) * fv_dtype_size(read[i].dtype);
    g_assert_cmpmem(read[i].data, bytes, section->tensors[i].data, bytes);
  }
}

static void round_trip(unsigned coders, double max_ns, bool stays) {
  Section section;
  FvTensor read[TENSORS];
  FvArena arena;
  FvError err;
  make_section(&section, coders, max_ns);
  fv_arena_init(&arena);
  g_autofree guint8 *bytes = g_malloc0(section.bytes.size + 64);
  memcpy(bytes, section.bytes.data, section.bytes.size);
  FvWeightBytes from = {bytes, section.bytes.size, stays};
  if (read_section(&section, from, section.directory.size, &arena, read, &err) < 0) g_error("%s", err.message);
  compare(&section, read);
  bool borrowed = false;
  for (int i = 0; i < TENSORS; i++) borrowed |= (guint8 *)read[i].data >= bytes && (guint8 *)read[i].data < bytes + section.bytes.size;
  g_assert_true(stays || !borrowed);
  g_assert_true(borrowed || !stays || coders != 1u << FV_CODER_NONE);
  fv_arena_finish(&arena);
  finish_section(&section);
}

static void test_coders(void) {
  for (int id = 0; id < FV_CODER_COUNT; id++)
    if (fv_coder_name(id)) round_trip(1u << id, 0, true);
  round_trip(1u << FV_CODER_NONE, 0, false);
  round_trip(0, 0, true);
  round_trip(0, 1e5, true);
}

/* The limit is for the whole section, and a longer one never gives more bytes. */
static void test_limit(void) {
  gsize before = G_MAXSIZE;
  for (double ns = 1e3; ns < 1e8; ns *= 10) {
    Section section;
    make_section(&section, 0, ns);
    g_assert_cmpuint(section.bytes.size, <=, before);
    before = section.bytes.size;
    finish_section(&section);
  }
}

/* A changed bit or a cut anywhere ends in an error or in other values, never outside of memory. */
static void test_damage(void) {
  Section section;
  FvTensor read[TENSORS];
  FvError err;
  make_section(&section, 0, 0);
  for (gsize at = 0; at < section.bytes.size + section.directory.size; at++) {
    bool in_directory = at >= section.bytes.size;
    guint8 *byte = in_directory ? section.directory.data + at - section.bytes.size : section.bytes.data + at;
    FvArena arena;
    fv_arena_init(&arena);
    if (!in_directory && at % 29) continue;
    g_autofree guint8 *cut = g_memdup2(section.bytes.data, in_directory ? section.bytes.size : at);
    FvWeightBytes bytes = {cut, in_directory ? section.bytes.size : at, false};
    g_assert_cmpint(read_section(&section, bytes, in_directory ? at - section.bytes.size : section.directory.size, &arena, read, &err), <, 0);
    *byte ^= (guint8)(1u << at % 8);
    read_section(&section, (FvWeightBytes){section.bytes.data, section.bytes.size, false}, section.directory.size, &arena, read, &err);
    *byte ^= (guint8)(1u << at % 8);
    fv_arena_finish(&arena);
  }
  finish_section(&section);
}

static void expect_directory(const guint8 *directory, size_t size, uint64_t section_bytes, int code, const char *word) {
  FvByteReader reader = {directory, directory + size, false};
  FvWeightLoad load;
  FvError err = {0};
  g_autofree guint8 *bytes = g_malloc0((gsize)section_bytes + 1);
  g_assert_cmpint(fv_weights_open(&load, (FvWeightBytes){bytes, (size_t)section_bytes, false}, &reader, &err), ==, code);
  if (!strstr(err.message, word)) g_error("no '%s' in: %s", word, err.message);
  fv_weights_finish(&load);
}

static void test_meaning(void) {
#define EXPECT(bytes, code, word, ...) expect_directory((const guint8[]){__VA_ARGS__}, sizeof((const guint8[]){__VA_ARGS__}), bytes, code, word)
  EXPECT(0, FV_ERR_FORMAT, "list of blocks", 1, 3, 1, 0);                                  /* width 3 */
  EXPECT(4, FV_ERR_FORMAT, "list of blocks", 1, 16 | 1, 4, 0, 0);                          /* planes of bytes */
  EXPECT(4, FV_ERR_FORMAT, "list of blocks", 1, 1, 4, 5, 0);                               /* a row longer than the block */
  EXPECT(4, FV_ERR_FORMAT, "list of blocks", 1, 1, 4, 0, 77);                              /* coder 77 */
  EXPECT(4, FV_ERR_FORMAT, "list of blocks", 1, 1, 5, 0, 0);                               /* longer than the section */
  EXPECT(5, FV_ERR_FORMAT, "its blocks take 4", 1, 1, 4, 0, 0);                            /* shorter than it */
  EXPECT(4, FV_ERR_FORMAT, "list of blocks", 1, 1, 0, 0, 0);                               /* nothing */
  EXPECT(2, FV_ERR_LIMIT, "too much for its size", 1, 1, 0xff, 0xff, 0xff, 0x7f, 0, 1, 2); /* 256 MiB from two bytes */
  EXPECT(0, FV_ERR_FORMAT, "list of blocks", 9);
#undef EXPECT
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/container/blocks/floats-take-their-narrowest-form", test_floats);
  g_test_add_func("/container/blocks/floats-from-a-short-list", test_codebooks);
  g_test_add_func("/container/blocks/integers-take-their-narrowest-form", test_integers);
  g_test_add_func("/container/blocks/elements-without-a-meaning", test_without_meaning);
  g_test_add_func("/container/blocks/all-coders", test_coders);
  g_test_add_func("/container/blocks/the-limit-is-for-all-of-them", test_limit);
  g_test_add_func("/container/blocks/damage-does-no-harm", test_damage);
  g_test_add_func("/container/blocks/what-a-list-may-say", test_meaning);
  return g_test_run();
}
