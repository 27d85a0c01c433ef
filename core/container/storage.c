#include "container/storage.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/half.h"
#include "ir/log_grid.h"

const char *fv_storage_name(FvTensorStorage form) {
  static const char *const names[FV_STORAGE_FORMS] = {"plain", "half", "grid", "narrow", "codebook", "same"};
  return form < FV_STORAGE_FORMS ? names[form] : "unknown";
}

/* --- packing: each returns whether the form holds the tensor to the bit --- */

static bool start(FvPacked *packed, FvTensorStorage form, unsigned width, int64_t count) {
  packed->storage.form = form;
  packed->kind = (FvBlockKind){.width = width, .planes = width > 1};
  packed->elements = count > 0 ? malloc((size_t)count * width) : NULL;
  return packed->elements != NULL;
}

static bool pack_grid(const float *values, int64_t count, FvPacked *packed) {
  int least = FV_LOG_GRID_MAX, most = FV_LOG_GRID_MIN;
  for (int64_t i = 0; i < count; i++) {
    if (!fv_on_log_grid(values[i])) return false;
    int index = fv_log_grid_index(values[i]);
    least = index < least ? index : least;
    most = index > most ? index : most;
  }
  bool wide = most - least > UINT8_MAX;
  packed->storage.base = least;
  if (!start(packed, FV_STORAGE_GRID, wide ? 2 : 1, count)) return true;
  uint8_t *bytes = packed->elements;
  uint16_t *pairs = packed->elements;
  for (int64_t i = 0; i < count; i++) {
    int above = fv_log_grid_index(values[i]) - least;
    if (wide) pairs[i] = (uint16_t)above;
    else bytes[i] = (uint8_t)above;
  }
  return true;
}

/* The distinct values of a tensor by their bits, as an open-addressed table; gives up when there are too many. */
typedef struct Distinct {
  uint32_t bits[1024];
  bool used[1024];
  uint32_t sorted[FV_CODEBOOK_MAX]; /* in the order of the values */
  int count;
} Distinct;

static int by_value(const void *a, const void *b) {
  float x = fv_f32_from_bits(*(const uint32_t *)a), y = fv_f32_from_bits(*(const uint32_t *)b);
  if (x != y) return x < y ? -1 : 1;
  return *(const uint32_t *)a > *(const uint32_t *)b ? -1 : *(const uint32_t *)a < *(const uint32_t *)b; /* the two zeros, -0 first */
}

static bool find_distinct(const float *values, int64_t count, int limit, Distinct *distinct) {
  memset(distinct, 0, sizeof *distinct);
  for (int64_t i = 0; i < count; i++) {
    uint32_t bits = fv_f32_to_bits(values[i]), at = (bits * 2654435761u) >> 22;
    if (isnan(values[i])) return false;
    while (distinct->used[at] && distinct->bits[at] != bits) at = (at + 1) & 1023;
    if (distinct->used[at]) continue;
    if (distinct->count == limit) return false;
    distinct->used[at] = true;
    distinct->bits[at] = distinct->sorted[distinct->count++] = bits;
  }
  qsort(distinct->sorted, (size_t)distinct->count, sizeof *distinct->sorted, by_value);
  return true;
}

static int find_entry(const Distinct *distinct, float value) {
  uint32_t bits = fv_f32_to_bits(value);
  const uint32_t *entry = bsearch(&bits, distinct->sorted, (size_t)distinct->count, sizeof bits, by_value);
  return (int)(entry - distinct->sorted);
}

/* Levels are counted from the entry nearest to zero, so that they look like those of a uniform grid to the coders. */
static bool pack_codebook(const FvTensor *tensor, int64_t count, FvPacked *packed) {
  const float *values = tensor->data;
  int64_t limit = count / 8 < FV_CODEBOOK_MAX ? count / 8 : FV_CODEBOOK_MAX;
  Distinct *distinct = malloc(sizeof *distinct);
  bool fits = distinct && find_distinct(values, count, (int)limit, distinct);
  if (fits && start(packed, FV_STORAGE_CODEBOOK, 1, count)) {
    FvStorage *storage = &packed->storage;
    storage->entries = (unsigned)distinct->count;
    storage->half_entries = true;
    storage->codebook = packed->codebook;
    for (unsigned i = 0; i < storage->entries; i++) {
      packed->codebook[i] = fv_f32_from_bits(distinct->sorted[i]);
      if (fabsf(packed->codebook[i]) < fabsf(packed->codebook[storage->zero])) storage->zero = i;
      storage->half_entries &= fv_f32_to_bits(fv_f16_to_f32(fv_f32_to_f16(packed->codebook[i]))) == distinct->sorted[i];
    }
    packed->kind.row = tensor->rank > 1 ? (uint64_t)(count / tensor->dims[0]) : 0;
    for (int64_t i = 0; i < count; i++) ((uint8_t *)packed->elements)[i] = (uint8_t)((unsigned)find_entry(distinct, values[i]) - storage->zero);
  }
  free(distinct);
  return fits;
}

static bool is_half(const float *values, int64_t count, bool round) {
  for (int64_t i = 0; i < count; i++)
    if (round ? !(fabsf(values[i]) <= 65504.0f) : fv_f32_to_bits(fv_f16_to_f32(fv_f32_to_f16(values[i]))) != fv_f32_to_bits(values[i])) return false;
  return true;
}

static bool pack_half(const float *values, int64_t count, bool round, FvPacked *packed) {
  if (!is_half(values, count, round)) return false;
  if (!start(packed, FV_STORAGE_HALF, 2, count)) return true;
  for (int64_t i = 0; i < count; i++) ((uint16_t *)packed->elements)[i] = fv_f32_to_f16(values[i]);
  return true;
}

static int64_t read_integer(const FvTensor *tensor, int64_t i) {
  switch (tensor->dtype) {
    case FV_DTYPE_I16: return ((const int16_t *)tensor->data)[i];
    case FV_DTYPE_I32: return ((const int32_t *)tensor->data)[i];
    default: return ((const int64_t *)tensor->data)[i];
  }
}

static bool is_narrowable(FvDtype dtype) { return dtype == FV_DTYPE_I16 || dtype == FV_DTYPE_I32 || dtype == FV_DTYPE_I64; }
static uint64_t zigzag(int64_t value) { return (uint64_t)value << 1 ^ (value < 0 ? UINT64_MAX : 0); }

static bool pack_narrow(const FvTensor *tensor, int64_t count, FvPacked *packed) {
  uint64_t any = 0;
  for (int64_t i = 0; i < count; i++) any |= zigzag(read_integer(tensor, i));
  unsigned width = any <= UINT8_MAX ? 1 : any <= UINT16_MAX ? 2 : any <= UINT32_MAX ? 4 : 8;
  if (width >= fv_dtype_size(tensor->dtype)) return false;
  if (!start(packed, FV_STORAGE_NARROW, width, count)) return true;
  for (int64_t i = 0; i < count; i++) {
    uint64_t value = zigzag(read_integer(tensor, i));
    switch (width) {
      case 1: ((uint8_t *)packed->elements)[i] = (uint8_t)value; break;
      case 2: ((uint16_t *)packed->elements)[i] = (uint16_t)value; break;
      default: ((uint32_t *)packed->elements)[i] = (uint32_t)value;
    }
  }
  return true;
}

static void pack_plain(const FvTensor *tensor, int64_t count, FvPacked *packed) {
  unsigned width = (unsigned)fv_dtype_size(tensor->dtype);
  if (start(packed, FV_STORAGE_PLAIN, width, count)) memcpy(packed->elements, tensor->data, (size_t)count * width);
  if (tensor->dtype == FV_DTYPE_I8 && tensor->rank > 1) packed->kind.row = (uint64_t)(count / tensor->dims[0]);
}

void fv_storage_pack(const FvTensor *tensor, bool round_to_half, FvPacked *packed) {
  int64_t count = fv_tensor_count(tensor);
  const float *values = tensor->data;
  *packed = (FvPacked){.elements = NULL};
  if (tensor->dtype == FV_DTYPE_F32 && (pack_grid(values, count, packed) || pack_codebook(tensor, count, packed) || pack_half(values, count, round_to_half, packed))) return;
  if (is_narrowable(tensor->dtype) && pack_narrow(tensor, count, packed)) return;
  pack_plain(tensor, count, packed);
}

/* --- unpacking --- */

bool fv_storage_fits(const FvStorage *storage, FvDtype dtype, unsigned width) {
  switch (storage->form) {
    case FV_STORAGE_PLAIN: return width == fv_dtype_size(dtype);
    case FV_STORAGE_HALF: return dtype == FV_DTYPE_F32 && width == 2;
    case FV_STORAGE_GRID: return dtype == FV_DTYPE_F32 && width <= 2 && storage->base >= FV_LOG_GRID_MIN && storage->base <= FV_LOG_GRID_MAX;
    case FV_STORAGE_NARROW: return is_narrowable(dtype) && width < fv_dtype_size(dtype);
    case FV_STORAGE_CODEBOOK: return dtype == FV_DTYPE_F32 && width == 1;
    default: return false;
  }
}

static uint64_t read_element(const uint8_t *at, unsigned width) {
  switch (width) {
    case 1: return at[0];
    case 2: return at[0] | (uint64_t)at[1] << 8;
    default: return fv_get_u32(at);
  }
}

static void unpack_plain(const uint8_t *elements, size_t bytes, const FvTensor *tensor) {
  memcpy(tensor->data, elements, bytes);
  uint8_t *flags = tensor->data;
  for (size_t i = 0; tensor->dtype == FV_DTYPE_BOOL && i < bytes; i++) flags[i] = flags[i] != 0;
}

static void unpack_half(const uint8_t *restrict elements, int64_t count, float *restrict values) {
  for (int64_t i = 0; i < count; i++) {
    uint16_t half;
    memcpy(&half, elements + 2 * i, sizeof half);
    values[i] = fv_f16_to_f32_wide(half);
  }
}

static bool unpack_grid(int64_t base, const uint8_t *elements, unsigned width, int64_t count, float *values) {
  for (int64_t i = 0; i < count; i++) {
    int64_t index = base + (int64_t)read_element(elements + width * (size_t)i, width);
    if (index > FV_LOG_GRID_MAX) return false;
    values[i] = fv_log_grid_value((int)index);
  }
  return true;
}

static bool unpack_narrow(const uint8_t *elements, unsigned width, int64_t count, const FvTensor *tensor) {
  for (int64_t i = 0; i < count; i++) {
    uint64_t bits = read_element(elements + width * (size_t)i, width);
    int64_t value = (int64_t)(bits >> 1 ^ (bits & 1 ? UINT64_MAX : 0));
    switch (tensor->dtype) { /* narrower than the type: it always fits */
      case FV_DTYPE_I16: ((int16_t *)tensor->data)[i] = (int16_t)value; break;
      case FV_DTYPE_I32: ((int32_t *)tensor->data)[i] = (int32_t)value; break;
      default: ((int64_t *)tensor->data)[i] = value;
    }
  }
  return true;
}

static bool unpack_codebook(const FvStorage *storage, const uint8_t *levels, int64_t count, float *values) {
  uint8_t beyond = 0;
  for (int64_t i = 0; i < count; i++) {
    unsigned entry = (levels[i] + storage->zero) & 255;
    beyond |= entry >= storage->entries;
    values[i] = storage->codebook[entry];
  }
  return !beyond;
}

bool fv_storage_unpack(const FvStorage *storage, const uint8_t *elements, unsigned width, const FvTensor *tensor) {
  int64_t count = fv_tensor_count(tensor);
  switch (storage->form) {
    case FV_STORAGE_PLAIN: return unpack_plain(elements, (size_t)count * width, tensor), true;
    case FV_STORAGE_HALF: return unpack_half(elements, count, tensor->data), true;
    case FV_STORAGE_GRID: return unpack_grid(storage->base, elements, width, count, tensor->data);
    case FV_STORAGE_NARROW: return unpack_narrow(elements, width, count, tensor);
    default: return unpack_codebook(storage, elements, count, tensor->data);
  }
}
