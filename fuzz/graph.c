/* The decoders of a .fovea file alone, without models and plans around them: fast. A .fovea file is given hashes that fit, verified, its sections opened and its graph decoded; other bytes
 * are taken for a graph section (its size in the first two) with weights behind, and for the sections that tell about a file. */
#include <stdlib.h>
#include <string.h>

#include "container/envelope.h"
#include "container/graph_code.h"
#include "fuzz.h"
#include "rehash.h"

static void read_findings(const uint8_t *data, size_t size) {
  FvNote *notes = NULL;
  FvScoreHistogram *scores = NULL;
  int count;
  if (fv_notes_read(data, size, "notes", &notes, &count, NULL) == 0) free(notes);
  if (fv_scores_read(data, size, &scores, &count, NULL) == 0) free(scores);
}

static void decode(const uint8_t *graph, size_t graph_size, const uint8_t *weights, size_t weight_size) {
  FvModelFile file;
  if (fv_graph_decode(graph, graph_size, (FvWeightBytes){weights, weight_size, false}, &file, NULL, NULL) < 0) return;
  fv_graph_prepare(file.graph, NULL);
  fv_graph_destroy(&file.graph);
}

static void open_sections(const uint8_t *data, size_t size) {
  FvEnvelope envelope;
  FvPlain graph = {0}, weights = {0};
  if (fv_envelope_verify(data, size, &envelope, NULL) < 0) return;
  if (fv_section_open(&envelope, data, FV_SECTION_GRAPH, false, &graph, NULL) == 0 && fv_section_open(&envelope, data, FV_SECTION_WEIGHTS, false, &weights, NULL) == 0)
    decode(graph.data, graph.size, weights.data, weights.size);
  free(graph.owned);
  free(weights.owned);
}

static void open_file(const uint8_t *data, size_t size) {
  uint8_t *copy = malloc(size);
  if (!copy) return;
  memcpy(copy, data, size);
  rehash(copy, size);
  open_sections(copy, size);
  free(copy);
}


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (fv_sodium_ready(NULL) < 0) return 0;
  if (fv_envelope_is(data, size)) {
    open_file(data, size);
    return 0;
  }
  size_t graph = size < 2 ? 0 : data[0] | (size_t)data[1] << 8;
  if (size >= 2 && graph <= size - 2) decode(data + 2, graph, data + 2 + graph, size - 2 - graph);
  read_findings(data, size);
  return 0;
}
