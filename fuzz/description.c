/* Model descriptions: a user's file, and the text that a model carries. */
#include "fuzz.h"
#include "vision/describe.h"

typedef int (*ReadFn)(FvDescription *description, const char *text, size_t size, const char *path, FvError *err);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const ReadFn readers[] = {fv_description_read_yaml, fv_description_read_embedded};
  for (int i = 0; i < 2; i++) {
    FvDescription description = {0};
    FvError err = {0};
    if (readers[i](&description, (const char *)data, size, "fuzz.yaml", &err) == 0) fv_description_check(&description, &err);
    fv_description_finish(&description);
  }
  return 0;
}
