/* Files of class names. */
#include <stdlib.h>
#include <string.h>

#include "vision/describe_internal.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  FvDescription description = {0};
  FvError err;
  for (int again = 0; again < 2; again++) {
    if (fv_description_parse_labels(&description, (const char *)data, size, "fuzz.txt", &err) < 0) continue;
    for (int i = 0; i < description.class_count; i++)
      if (strlen(description.labels[i]) > FV_MAX_LABEL_BYTES) abort();
  }
  fv_description_finish(&description);
  return 0;
}
