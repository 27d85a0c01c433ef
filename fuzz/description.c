/* Description files, as a user writes them and as a model carries them. Whatever is accepted must also pass, or fail cleanly, the check. */
#include "vision/describe.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static int (*const readers[])(FvDescription *, const char *, size_t, const char *, FvError *) = {fv_description_read_yaml, fv_description_read_embedded};
  for (int i = 0; i < 2; i++) {
    FvDescription description = {0};
    FvError err;
    for (int again = 0; again < 2; again++) /* a second file goes over the first */
      if (readers[i](&description, (const char *)data, size, "fuzz.yaml", &err) == FV_OK) fv_description_check(&description, &err);
    fv_description_finish(&description);
  }
  return 0;
}
