#include <pthread.h>
#include <string.h>

#include "spool/format.h"

/* Slicing by eight (Kounavis and Berry, 2005). */
static uint32_t table[8][256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void fill(void) {
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    table[0][i] = crc;
  }
  for (int k = 1; k < 8; k++)
    for (uint32_t i = 0; i < 256; i++) table[k][i] = table[k - 1][i] >> 8 ^ table[0][table[k - 1][i] & 255];
}

uint32_t fv_crc32c(uint32_t crc, const void *data, size_t size) {
  const uint8_t *at = data;
  pthread_once(&once, fill);
  crc = ~crc;
  for (; size >= 8; at += 8, size -= 8) {
    uint32_t low = crc ^ (uint32_t)fv_get_le(at, 4), high = (uint32_t)fv_get_le(at + 4, 4);
    crc = table[7][low & 255] ^ table[6][low >> 8 & 255] ^ table[5][low >> 16 & 255] ^ table[4][low >> 24] ^ table[3][high & 255] ^
          table[2][high >> 8 & 255] ^ table[1][high >> 16 & 255] ^ table[0][high >> 24];
  }
  for (; size; at++, size--) crc = crc >> 8 ^ table[0][(crc ^ *at) & 255];
  return ~crc;
}
