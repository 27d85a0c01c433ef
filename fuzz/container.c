/* .fovea files. Header and table are given hashes that fit, so that what stands behind those is reached too; and the bytes are taken for a graph section (its
 * size in the first two) with weights behind, as if their file had been verified. */
#include <stdlib.h>
#include <string.h>

#include <fovea/fovea.h>

#include "container/envelope.h"
#include "container/graph_code.h"
#include "container/hash.h"
#include "fuzz.h"

static void open_file(const uint8_t *data, size_t size) {
  FvModel *model = NULL;
  fv_model_open_memory(data, size, "fuzz.fovea", &fv_model_params(.signature = FV_SIGNATURE_OFF), &model, NULL);
  fv_model_destroy(&model);
}

static void rehash(uint8_t *data, size_t size) {
  if (size < FV_FORMAT_HEADER_BYTES) return;
  uint64_t count = fv_get_u32(data + FV_HEADER_COUNT), bytes = count * FV_FORMAT_ENTRY_BYTES;
  if (count > FV_FORMAT_MAX_SECTIONS || bytes > size - FV_FORMAT_HEADER_BYTES) return;
  for (uint64_t i = 0; i < count; i++) {
    uint8_t *entry = data + FV_FORMAT_HEADER_BYTES + i * FV_FORMAT_ENTRY_BYTES;
    uint64_t offset = fv_get_u64(entry + 16), stored = fv_get_u64(entry + 24);
    if (offset <= size && stored <= size - offset) fv_section_hash(data + offset, (size_t)stored, entry + 48);
  }
  fv_hash("fovea.table", data + FV_FORMAT_HEADER_BYTES, (size_t)bytes, data + FV_HEADER_TABLE_HASH);
  fv_hash("fovea.root", data, FV_HEADER_ROOT, data + FV_HEADER_ROOT);
}

static void decode(const uint8_t *data, size_t size) {
  FvModelFile file;
  if (size < 2) return;
  size_t graph = data[0] | (size_t)data[1] << 8;
  if (graph > size - 2 || fv_graph_decode(data + 2, graph, (FvWeightBytes){data + 2 + graph, size - 2 - graph, false}, &file, NULL, NULL) < 0) return;
  fv_graph_prepare(file.graph, NULL);
  fv_graph_destroy(&file.graph);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (fv_sodium_ready(NULL) < 0) return 0;
  if (!fv_envelope_is(data, size)) {
    decode(data, size);
    return 0;
  }
  open_file(data, size);
  uint8_t *copy = malloc(size);
  if (!copy) return 0;
  memcpy(copy, data, size);
  rehash(copy, size);
  open_file(copy, size);
  free(copy);
  return 0;
}
