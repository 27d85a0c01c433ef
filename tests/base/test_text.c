#include <glib.h>

#include "base/text.h"

/* Every sequence of up to three bytes, and a sample of four, against GLib's validation. */
static void test_utf8(void) {
  for (unsigned bits = 1; bits < 1 << 24; bits += bits < 1 << 16 ? 1 : 7) {
    char text[5] = {(char)(bits & 255), (char)(bits >> 8 & 255), (char)(bits >> 16 & 255), 0};
    if (!text[0]) continue;
    gunichar c = g_utf8_get_char_validated(text, -1);
    int expected = c >= (gunichar)-2 ? 0 : g_unichar_to_utf8(c, NULL);
    if (fv_utf8_length(text) != expected) g_error("%02x %02x %02x", text[0] & 255, text[1] & 255, text[2] & 255);
  }
  for (unsigned c = 0x10000; c < 0x120000; c += 251) {
    char text[5] = {(char)(0xf0 | c >> 18), (char)(0x80 | (c >> 12 & 63)), (char)(0x80 | (c >> 6 & 63)), (char)(0x80 | (c & 63)), 0};
    g_assert_cmpint(fv_utf8_length(text), ==, c < 0x110000 ? 4 : 0);
  }
}

static void test_clean(void) {
  char text[] = "a\x1b[31m\xff\xc3\xa9\xe2\x82\xc2\x9b\x7fz";
  g_assert_true(fv_text_is_clean("stra\xc3\x9f""e 12"));
  g_assert_true(fv_text_is_clean(""));
  g_assert_false(fv_text_is_clean("a\nb"));
  g_assert_false(fv_text_is_clean("\xc2\x9b"));
  g_assert_false(fv_text_is_clean("\xed\xa0\x80"));
  g_assert_false(fv_text_is_clean(text));
  fv_text_clean(text);
  g_assert_cmpstr(text, ==, "a?[31m?\xc3\xa9?????z");
  g_assert_true(fv_text_is_clean(text));
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/text/utf8", test_utf8);
  g_test_add_func("/text/clean", test_clean);
  return g_test_run();
}
