#include "base/text.h"

#include <stdint.h>

int fv_utf8_length(const char *text) {
  const uint8_t *at = (const uint8_t *)text;
  if (at[0] < 0x80) return 1;
  int length = at[0] >= 0xc2 && at[0] < 0xe0 ? 2 : at[0] >= 0xe0 && at[0] < 0xf0 ? 3 : at[0] >= 0xf0 && at[0] < 0xf5 ? 4 : 0;
  for (int i = 1; i < length; i++)
    if ((at[i] & 0xc0) != 0x80) return 0; /* also ends at the NUL */
  bool overlong = (at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xf0 && at[1] < 0x90);
  bool beyond = (at[0] == 0xed && at[1] >= 0xa0) || (at[0] == 0xf4 && at[1] >= 0x90);
  return overlong || beyond ? 0 : length;
}

int fv_text_step(const char *text) {
  const uint8_t *at = (const uint8_t *)text;
  bool control = at[0] < 0x20 || at[0] == 0x7f || (at[0] == 0xc2 && at[1] < 0xa0);
  return control ? 0 : fv_utf8_length(text);
}

bool fv_text_is_clean(const char *text) {
  while (*text) {
    int length = fv_text_step(text);
    if (length == 0) return false;
    text += length;
  }
  return true;
}

void fv_text_clean(char *text) {
  while (*text) {
    int length = fv_text_step(text);
    if (length == 0) *text = '?';
    text += length ? length : 1;
  }
}
