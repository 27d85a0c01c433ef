/* The subcommands of `fovea`, one file each. argv[0] is the subcommand's name; the result is the process's exit code. */
#ifndef FOVEA_TOOLS_COMMANDS_H
#define FOVEA_TOOLS_COMMANDS_H

int fv_command_bench(int argc, char **argv);
int fv_command_compress(int argc, char **argv);
int fv_command_check(int argc, char **argv);
int fv_command_detect(int argc, char **argv);
int fv_command_devices(int argc, char **argv);
int fv_command_eval(int argc, char **argv);
int fv_command_infer(int argc, char **argv);
int fv_command_inspect(int argc, char **argv);
int fv_command_keygen(int argc, char **argv);
int fv_command_run(int argc, char **argv);
int fv_command_sign(int argc, char **argv);
int fv_command_spool(int argc, char **argv);
int fv_command_tune(int argc, char **argv);
int fv_command_verify(int argc, char **argv);

#endif
