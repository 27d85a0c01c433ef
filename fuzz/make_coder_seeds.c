/* Writes the seeds of the coders' fuzz target: make-coder-seeds DIRECTORY. One valid stream per coder and kind of data, and the data itself. */
#include <stdio.h>
#include <string.h>

#include "entropy/coder.h"

#include "../tests/entropy/streams.h"

enum { COUNT = 400, ROW = 20 };

static int write_seed(const char *directory, const char *kind, const char *name, int what, int row, const void *bytes, size_t size) {
  char path[4096];
  snprintf(path, sizeof path, "%.3500s/%s-%s", directory, kind, name);
  FILE *file = fopen(path, "wb");
  if (!file) return perror(path), -1;
  fwrite((uint8_t[4]){(uint8_t)what, (uint8_t)row, COUNT & 255, COUNT >> 8}, 1, 4, file);
  fwrite(bytes, 1, size, file);
  return fclose(file);
}

/* coder: what the fuzz target codes the data by; FV_CODER_COUNT leaves the choice to fv_coder_choose. */
static int write_kind(const char *directory, const char *kind, const int8_t *data, int row, int coder) {
  int failed = write_seed(directory, kind, "data", 224 + coder, row, data, COUNT) < 0;
  for (int id = 0; id < FV_CODER_COUNT; id++) {
    FvBytes coded = {0};
    failed |= fv_coder_encode(id, data, (FvCodeShape){COUNT, (size_t)row}, &coded, NULL) < 0 ||
              write_seed(directory, kind, fv_coder_name(id), id, row, coded.data, coded.size) < 0;
    fv_bytes_finish(&coded);
  }
  return failed;
}

int main(int argc, char **argv) {
  int8_t data[COUNT];
  if (argc != 2) return fprintf(stderr, "make-coder-seeds DIRECTORY\n"), 1;
  fill_weights(data, COUNT, ROW, 4, 1);
  int failed = write_kind(argv[1], "weights", data, ROW, FV_CODER_RANGE);
  fill_laplace(data, COUNT, 30, 2);
  failed |= write_kind(argv[1], "wide", data, 0, FV_CODER_RANS);
  memset(data, -128, COUNT);
  failed |= write_kind(argv[1], "same", data, ROW, FV_CODER_COUNT);
  for (int i = 0; i < COUNT; i++) data[i] = "one scale, two scales; "[i % 23];
  return failed | write_kind(argv[1], "text", data, 0, FV_CODER_LZ77);
}
