//! Builds libvelos_core.a and runs its tests. Called by crates/velos-ffi/build.rs and by `make test`.

const std = @import("std");

pub fn build(b: *std.Build) void {
    const target = b.standardTargetOptions(.{});
    const optimize = b.option(std.builtin.OptimizeMode, "optimize", "default: ReleaseSafe") orelse .ReleaseSafe;

    // The header is the authority: abi.zig compares itself with its translation at compile time.
    const header = b.addTranslateC(.{
        .root_source_file = b.path("include/velos_core.h"),
        .target = target,
        .optimize = optimize,
        .link_libc = false,
    });

    const library = b.addLibrary(.{
        .name = "velos_core",
        .linkage = .static,
        .root_module = module(b, "src/lib.zig", target, optimize, header),
    });
    // rustc links without Zig's runtime; the stack probes of the safe build live there.
    library.bundle_compiler_rt = true;
    b.installArtifact(library);
    b.installFile("include/velos_core.h", "include/velos_core.h");

    // Foreign systems: a program that needs every export, linked but never run here.
    const linked = b.addExecutable(.{
        .name = "link-check",
        .root_module = b.createModule(.{
            .root_source_file = b.path("src/link_check.zig"),
            .target = target,
            .optimize = optimize,
            .link_libc = true,
        }),
    });
    linked.root_module.linkLibrary(library);
    b.step("link-check", "link a program with every export").dependOn(&b.addInstallArtifact(linked, .{}).step);

    const tests = b.addTest(.{ .root_module = module(b, "src/tests.zig", target, optimize, header) });
    const run_tests = b.addRunArtifact(tests);
    run_tests.has_side_effects = true;
    b.step("test", "run the unit tests").dependOn(&run_tests.step);
}

fn module(
    b: *std.Build,
    root: []const u8,
    target: std.Build.ResolvedTarget,
    optimize: std.builtin.OptimizeMode,
    header: *std.Build.Step.TranslateC,
) *std.Build.Module {
    const result = b.createModule(.{
        .root_source_file = b.path(root),
        .target = target,
        .optimize = optimize,
        .link_libc = true,
        .pic = true,
        .strip = true,
        .unwind_tables = .none,
        .omit_frame_pointer = true,
    });
    result.addImport("header", header.createModule());
    return result;
}
