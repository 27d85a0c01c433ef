/* fovea keygen, sign and verify. */
#include <stdio.h>

#include <fovea/container.h>

#include "commands.h"
#include "container_text.h"
#include "options.h"

int fv_command_keygen(int argc, char **argv) {
  gboolean encryption = FALSE;
  const GOptionEntry entries[] = {{"encryption", 0, 0, G_OPTION_ARG_NONE, &encryption, "A key to encrypt with, instead of one to sign with", NULL}, {0}};
  const FvUsage usage = {"keygen", "NAME",
                         "Makes a key to sign models with: NAME.key, which only its owner may read, and NAME.pub, which goes into\n"
                         "the trusted-keys directory of those who run them. Files that exist are left alone.", 1, 1};
  FvError err;
  int result = fv_options_parse(&usage, entries, NULL, &argc, &argv);
  if (result != FV_EXIT_OK) return result;
  if (fv_key_create(argv[1], encryption ? FV_KEY_ENCRYPTION : FV_KEY_SIGNING, &err) < 0) return fv_fail(usage.command, "%s", err.message);
  if (encryption)
    printf("%s.key\n", argv[1]);
  else
    printf("%s.key %s.pub\n", argv[1], argv[1]);
  return FV_EXIT_OK;
}

int fv_command_sign(int argc, char **argv) {
  char *key = NULL;
  const GOptionEntry entries[] = {{"key", 0, 0, G_OPTION_ARG_FILENAME, &key, "The key to sign with", "NAME.key"}, {0}};
  const FvUsage usage = {"sign", "FILE.fovea", "Signs a file in place, in the stead of a signature that it has.", 1, 1};
  FvError err;
  int result = fv_options_parse(&usage, entries, NULL, &argc, &argv);
  if (result == FV_EXIT_OK && !key) result = fv_fail_usage(usage.command, "--key NAME.key is missing");
  if (result == FV_EXIT_OK && fv_container_sign(argv[1], key, &err) < 0) result = fv_fail(usage.command, "%s", err.message);
  g_free(key);
  return result;
}

int fv_command_verify(int argc, char **argv) {
  char *trusted = NULL;
  const GOptionEntry entries[] = {
    {"trusted", 0, 0, G_OPTION_ARG_FILENAME, &trusted, "Directory of public keys (default ~/.config/fovea/trusted and /etc/fovea/trusted)", "DIR"}, {0}};
  const FvUsage usage = {"verify", "FILE.fovea",
                         "Checks every byte of a file against its hashes, and its signature. Ends with 0 only when the file is signed with a\n"
                         "trusted key.", 1, 1};
  FvError err;
  FvContainerInfo info;
  int result = fv_options_parse(&usage, entries, NULL, &argc, &argv);
  if (result == FV_EXIT_OK && fv_container_verify(argv[1], trusted, &info, &err) < 0) result = fv_fail(usage.command, "%s", err.message);
  else if (result == FV_EXIT_OK) {
    char *state = fv_signature_text(&info);
    if (info.signature == FV_SIGNATURE_TRUSTED)
      printf("%s: intact, %s\n", argv[1], state);
    else
      result = fv_fail(usage.command, "%s: intact, but %s", argv[1], state);
    g_free(state);
    fv_container_info_finish(&info);
  }
  g_free(trusted);
  return result;
}
