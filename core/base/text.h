/* Text from outside: is it UTF-8, and can it be shown? */
#ifndef FOVEA_BASE_TEXT_H
#define FOVEA_BASE_TEXT_H

#include <stdbool.h>

/* Bytes of the UTF-8 sequence at text (1 to 4); 0 when it is malformed, too long for its value, a surrogate or beyond U+10FFFF. text is
 * NUL-terminated and not at its end. */
int fv_utf8_length(const char *text);
/* The same, but 0 for control characters (C0, DEL, C1) too. */
int fv_text_step(const char *text);
/* Well-formed UTF-8 without control characters: safe in messages, on terminals and in JSON. */
bool fv_text_is_clean(const char *text);
/* Replaces what makes it unclean by '?', byte by byte, in place. */
void fv_text_clean(char *text);

#endif
