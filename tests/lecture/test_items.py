"""Every item and every erratum of the lecture has its test; an item's fails with mutants of its rule."""

import ast
import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent

# item: its test, and what is planted there
ITEMS = {
    1: ("test_l1_the_risk_is_a_mean", "summed"),
    2: ("test_l2_descent_until_the_change_is_small_and_e1_the_printed_test_is_inverted", "as_printed", "for_ever"),
    3: ("test_l3_l4_l5_stochastic_batch_and_minibatch_gradients", "up", "half"),
    4: ("test_l3_l4_l5_stochastic_batch_and_minibatch_gradients", "summed"),
    5: ("test_l3_l4_l5_stochastic_batch_and_minibatch_gradients", "one_size"),
    6: ("test_l6_stochastic_steps_reach_a_loss_in_fewer_samples_and_fluctuate", "half_of_all", "all_of_them"),
    7: ("test_l7_l8_convergence_on_a_quadratic", "half", "by_sign"),
    8: ("test_l7_l8_convergence_on_a_quadratic", "half", "by_sign"),
    9: ("test_l9_convexity_by_the_hessian", "of_slopes", "negative"),
    10: ("test_l10_a_saddle_holds_descent_and_lets_it_go", "shaken", "by_sign", "ascent"),
    11: ("test_l11_minima_of_wide_networks_are_about_equally_good", "narrow_alone", "one_start"),
    12: ("test_l12_the_loss_is_a_stand_in_for_the_error", "hinge"),
    13: ("test_l13_a_large_rate_leaves_a_narrow_basin", "bounded", "frozen"),
    14: ("test_l14_one_rate_for_all_parameters_is_slow", "one", "swapped"),
    15: ("test_l15_a_network_approximates_a_function", "none"),
    16: ("test_l16_linear_decay_divides_by_k_plus_1", "shifted", "square", "ramp"),
    17: ("test_l17_quadratic_decay_divides_by_the_square", "linear", "polynomial", "shifted"),
    18: ("test_l18_exponential_decay_by_beta", "base_2", "shifted"),
    19: ("test_l19_a_schedule_counts_steps_or_epochs", "steps"),
    20: ("test_l20_plateau_multiplies_by_alpha_when_progress_stops", "patient", "gentle", "reversed"),
    21: ("test_l21_l22_l23_rprop_backtracks_with_and_without_limits", "without", "forgets", "slower"),
    22: ("test_l21_l22_l23_rprop_backtracks_with_and_without_limits", "without", "forgets", "slower"),
    23: ("test_l21_l22_l23_rprop_backtracks_with_and_without_limits", "without", "forgets", "slower"),
    24: ("test_l24_one_gradient_per_iteration", "asks_twice"),
    25: ("test_l25_parameters_are_independent_and_often_faster_than_descent", "coupled"),
    26: ("test_l26_momentum_has_the_rate_inside_of_the_velocity", "rate_outside", "nesterov"),
    27: (
        "test_l27_the_velocity_persists_and_e11_setting_it_to_0_cancels_momentum",
        "every_step", "every_epoch", "not_0",
    ),
    28: ("test_l28_steps_grow_where_signs_agree_and_e10_weights_add_up_to_10", "average", "memoryless", "nesterov"),
    29: ("test_l29_nesterov_takes_the_gradient_ahead", "shifted", "heavy_ball"),
    30: ("test_l30_minibatches_shift_and_batch_norm_moves_all_to_one_place", "no_shift", "uncentred", "unscaled"),
    31: ("test_l31_a_bias_before_batch_norm_is_taken_away", "uncentred"),
    32: ("test_l32_biased_variance_and_eps_inside_the_root", "bessel", "eps_outside", "uncentred"),
    33: ("test_l33_the_loss_of_one_example_depends_on_all", "detached"),
    34: ("test_l34_backpropagation_is_the_lecture_s", "no_variance_path", "detached"),
    35: (
        "test_l35_inference_uses_the_mean_over_all_minibatches_of_the_final_network",
        "biased", "one_B", "weighted", "running",
    ),
    36: ("test_l36_only_some_neurons_are_normalised", "all_units", "none"),
    37: ("test_l37_minibatches_are_shuffled_anew_in_every_epoch", "fixed"),
    38: ("test_l38_training_is_faster_with_batch_norm", "not_normalised"),
    39: (
        "test_l39_training_error_falls_while_the_error_on_other_data_rises_again",
        "measured_on_the_training_data",
    ),
    40: (
        "test_l40_sixty_twenty_twenty_and_training_never_sees_the_test_part",
        "standardised_with_all_data", "trained_on_all_data",
    ),
    41: ("test_l41_early_stopping", "never", "no_restore"),
    42: ("test_l42_the_penalty_is_a_norm_of_all_parameters", "power", "halved", "without_biases"),
    43: ("test_l43_decay_is_the_squared_norm_s_gradient", "twice", "none", "adaptive"),
    44: ("test_l44_p_is_the_probability_to_keep", "dropping", "nothing"),
    45: ("test_l45_every_minibatch_trains_one_structure_or_every_sample", "by_sample"),
    46: ("test_l46_the_lecture_scales_at_test_time_and_not_in_training", "inverted"),
    47: ("test_l47_the_test_output_is_the_expected_training_output", "unscaled"),
    48: (
        "test_l48_random_masks_approach_the_average_over_thinned_networks",
        "of_another_keep", "one_network", "without_seed",
    ),
    49: ("test_l49_dropout_lowers_the_error_on_other_data_for_a_large_range_of_keep", "none"),
    50: ("test_l50_augmentation_makes_more_data_with_the_same_labels", "labels_lost", "nothing"),
    51: ("test_l51_an_ensemble_is_better_than_its_members_on_average", "one_member", "worst"),
    52: ("test_l52_the_one_hot_code_of_a_person_is_third", "alphabetical"),
    53: ("test_l53_why_the_rate_decays", "constant", "too_fast"),
    54: ("test_l54_the_choice_of_the_divergence_matters", "squared_error"),
}  # fmt: skip

# erratum: the test that shows the text as printed beside the text as mended
ERRATA = {
    1: "test_l2_descent_until_the_change_is_small_and_e1_the_printed_test_is_inverted",
    2: "test_e2_counting_before_stepping_looks_at_the_step_before",
    4: "test_l3_l4_l5_stochastic_batch_and_minibatch_gradients",
    5: "test_l7_l8_convergence_on_a_quadratic",
    6: "test_e6_linear_and_quadratic_decay_are_hyperbolas",
    7: "test_e7_a_clamp_on_the_signed_step_loses_its_sign",
    8: "test_e8_a_gradient_of_0_stops_a_parameter_for_ever_as_printed",
    9: "test_e9_the_first_step_has_the_first_size",
    10: "test_l28_steps_grow_where_signs_agree_and_e10_weights_add_up_to_10",
    11: "test_l27_the_velocity_persists_and_e11_setting_it_to_0_cancels_momentum",
    12: "test_e12_the_square_of_sigma_is_the_variance_not_the_standard_deviation",
    13: "test_e13_every_minibatch_has_its_own_size",
    14: "test_e14_the_variance_between_minibatches_is_left_out",
    15: "test_e15_only_the_hyperbola_may_walk_anywhere_and_comes_to_rest",
    18: "test_e18_through_a_nonlinearity_it_is_so_only_to_first_order",
    19: "test_e19_the_printed_rule_stops_at_the_first_rise_and_keeps_the_worse_network",
    20: "test_e20_the_norm_p_2_is_no_weight_decay",
    21: "test_l43_and_e21_p_1_gives_fewer_weights_only_by_a_proximal_step",
    23: "test_e23_a_gradient_has_the_shape_of_its_parameter",
}

# errata of the words alone: nothing runs otherwise
WORDING = {
    3: "d_d for d_2",
    16: "a saddle is called a point of inflection",
    17: "a misprint in local optimum",
    22: "the article on batch normalisation is of ICML, not of JMLR",
    24: "the order of overlaid slides",
}


def planted(node):
    """The names of the mutants in a test: the keywords of its calls of the two helpers."""
    calls = (n for n in ast.walk(node) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name))
    helpers = (call for call in calls if call.func.id in ("holds_only_for", "fails_with"))
    return {keyword.arg for call in helpers for keyword in call.keywords}


def read():
    found = {}
    for file in HERE.glob("test_*.py"):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                assert node.name not in found, f"{node.name} is there twice"
                found[node.name] = node
    return found


TESTS = read()


@pytest.mark.parametrize("item", range(1, 55))
def test_every_item_has_a_test_that_its_mutants_fail(item):
    test, *mutants = ITEMS[item]
    assert f"l{item}" in test.split("_"), f"{test} is of another item"
    assert mutants
    assert planted(TESTS[test]) >= set(mutants)


@pytest.mark.parametrize("erratum", range(1, 25))
def test_every_erratum_with_a_behaviour_is_shown(erratum):
    if erratum in WORDING:
        assert erratum not in ERRATA
        return
    test = TESTS[ERRATA[erratum]]
    assert f"e{erratum}" in test.name.split("_") or re.search(rf"\bE{erratum}\b", ast.get_docstring(test) or "")


def test_every_mutant_of_an_item_is_in_the_table():
    listed = {test: set() for test, *_ in ITEMS.values()}
    for test, *mutants in ITEMS.values():
        listed[test] |= set(mutants)
    assert {test: planted(TESTS[test]) - {None} for test in listed} == listed
